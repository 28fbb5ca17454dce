// nested.go - stdin and stdout through layers of TLS, with Go's crypto/tls:
//
//	nested HOST:PORT CA.pem NAME...
//
// A layer for each NAME, the outermost first. It says on stderr what each is,
// and exits with 0 if the innermost was closed by the peer, and not merely cut
// off.
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "nested:", err)
		os.Exit(1)
	}
}

func start(below net.Conn, roots *x509.CertPool, name string) *tls.Conn {
	layer := tls.Client(below, &tls.Config{RootCAs: roots, ServerName: name})
	must(layer.Handshake())
	return layer
}

func describe(number int, layer *tls.Conn) {
	state := layer.ConnectionState()
	version := map[uint16]string{
		tls.VersionTLS12: "TLSv1.2",
		tls.VersionTLS13: "TLSv1.3",
	}[state.Version]
	fmt.Fprintf(os.Stderr, "layer %d: %s %s\n", number, version,
		state.PeerCertificates[0].Subject.CommonName)
}

func main() {
	ca, err := os.ReadFile(os.Args[2])
	must(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)

	top, err := net.Dial("tcp", os.Args[1])
	must(err)
	for i, name := range os.Args[3:] {
		layer := start(top, roots, name)
		describe(i+1, layer)
		top = layer
	}

	go func() {
		_, err := io.Copy(top, os.Stdin)
		must(err)
	}()
	_, err = io.Copy(os.Stdout, top)
	must(err)
	must(top.Close())
}
