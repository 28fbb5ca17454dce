// echo.go - a server with Go's crypto/tls that sends everything back:
//
//	echo CERT.pem KEY.pem [CA.pem]
//
// With a CA it wants a certificate of the client. It says what each connection
// is, and how it has ended: with a close_notify, or cut off.
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"os"
)

func must(err error) {
	if err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func serve(conn *tls.Conn) {
	defer conn.Close()
	if err := conn.Handshake(); err != nil {
		fmt.Println("refused:", err)
		return
	}
	state := conn.ConnectionState()
	version := map[uint16]string{
		tls.VersionTLS12: "TLSv1.2",
		tls.VersionTLS13: "TLSv1.3",
	}[state.Version]
	client := "-"
	if len(state.PeerCertificates) > 0 {
		client = state.PeerCertificates[0].Subject.CommonName
	}
	fmt.Printf("accepted: %s name=%s alpn=%s client=%s\n", version,
		state.ServerName, state.NegotiatedProtocol, client)
	n, err := io.Copy(conn, conn)
	if err != nil {
		fmt.Println("cut off:", err)
		return
	}
	fmt.Printf("closed: after %d bytes\n", n)
}

func main() {
	certificate, err := tls.LoadX509KeyPair(os.Args[1], os.Args[2])
	must(err)
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"echo"},
	}
	if len(os.Args) > 3 {
		ca, err := os.ReadFile(os.Args[3])
		must(err)
		config.ClientCAs = x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(ca)
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
	must(err)
	fmt.Println("ACCEPT", listener.Addr())
	for {
		conn, err := listener.Accept()
		must(err)
		go serve(conn.(*tls.Conn))
	}
}
