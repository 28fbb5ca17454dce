// bench_go.go - a peer of the bench: crypto/tls of Go, buffered between layers.
//
// SPDX-License-Identifier: Apache-2.0
//
// It is driven by lines as bench_program.c says. A buffer under each inner
// layer takes what that has written and hands it on in one piece, as Go
// programs do that nest it with care.

package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const bufferSize = 64 * 1024

// queue is one direction of a connection in memory; a read waits for bytes.
type queue struct {
	lock  sync.Mutex
	there *sync.Cond
	bytes bytes.Buffer
}

func newQueue() *queue {
	q := &queue{}
	q.there = sync.NewCond(&q.lock)
	return q
}

// memory is one end of it.
type memory struct {
	net.Conn
	in, out *queue
}

func (m *memory) Write(b []byte) (int, error) {
	m.out.lock.Lock()
	defer m.out.lock.Unlock()
	m.out.there.Signal()
	return m.out.bytes.Write(b)
}

func (m *memory) Read(b []byte) (int, error) {
	m.in.lock.Lock()
	defer m.in.lock.Unlock()
	for m.in.bytes.Len() == 0 {
		m.in.there.Wait()
	}
	return m.in.bytes.Read(b)
}

// buffered gathers what is written until flush, and reads ahead.
type buffered struct {
	net.Conn
	r *bufio.Reader
	w *bufio.Writer
}

func (b *buffered) Read(p []byte) (int, error)  { return b.r.Read(p) }
func (b *buffered) Write(p []byte) (int, error) { return b.w.Write(p) }

// end is the layers of one end: the innermost, and the buffers from within.
type end struct {
	conn    net.Conn
	buffers []*buffered
}

func (e *end) flush() {
	for i := len(e.buffers) - 1; i >= 0; i-- {
		check(e.buffers[i].w.Flush())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench_go:", err)
		os.Exit(1)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template,
		&key.PublicKey, key)
	check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// gate writes through while it shakes hands, and into the buffer after that.
type gate struct {
	*buffered
	end  *end
	open bool
}

func (g *gate) Write(p []byte) (int, error) {
	n, err := g.buffered.Write(p)
	if g.open {
		g.end.flush()
	}
	return n, err
}

func newEnd(conn net.Conn, client bool, depth int, config *tls.Config) *end {
	e := &end{conn: conn}
	for ; depth > 0; depth-- {
		b := &buffered{e.conn, bufio.NewReaderSize(e.conn, bufferSize),
			bufio.NewWriterSize(e.conn, bufferSize)}
		e.buffers = append(e.buffers, b)
		g := &gate{b, e, true}
		var layer *tls.Conn
		if client {
			layer = tls.Client(g, config)
		} else {
			layer = tls.Server(g, config)
		}
		check(layer.Handshake())
		g.open = false
		e.conn = layer
	}
	return e
}

func cpu() float64 {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Utime.Sec+u.Stime.Sec) +
		1e-6*float64(u.Utime.Usec+u.Stime.Usec)
}

var data, received [256 * 1024]byte

func (e *end) put(size int) {
	_, err := e.conn.Write(data[:size])
	check(err)
	e.flush()
}

func (e *end) get(size int) int {
	n, err := io.ReadFull(e.conn, received[:size])
	check(err)
	return n
}

// run sends count writes from a to b, which are in one thread.
func run(a, b *end, size, count, answered int) {
	start, got := cpu(), 0
	for i := 0; i < count; i++ {
		a.put(size)
		got += b.get(size)
		if answered != 0 {
			b.put(size)
			got += a.get(size)
		}
	}
	fmt.Printf("%.9f %d\n", cpu()-start, got)
}

func overMemory(depth int) {
	one, two := newQueue(), newQueue()
	server := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	client := &tls.Config{InsecureSkipVerify: true}
	made := make(chan *end)
	go func() {
		made <- newEnd(&memory{in: one, out: two}, false, depth, server)
	}()
	a := newEnd(&memory{in: two, out: one}, true, depth, client)
	b := <-made
	var size, count, answered int
	fmt.Println("ready")
	for {
		_, err := fmt.Scan(&size, &count, &answered)
		if err != nil {
			return
		}
		run(a, b, size, count, answered)
	}
}

// overSocket is the client; its server is this program again.
func overSocket(depth int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	in, toServer, err := os.Pipe()
	check(err)
	fromServer, out, err := os.Pipe()
	check(err)
	server, err := os.StartProcess("/proc/self/exe", []string{os.Args[0],
		"server", strconv.Itoa(depth), listener.Addr().String()},
		&os.ProcAttr{Files: []*os.File{in, out, os.Stderr}})
	check(err)
	conn, err := listener.Accept()
	check(err)
	a := newEnd(conn, true, depth, &tls.Config{InsecureSkipVerify: true})
	var size, count, answered, got int
	var theirs float64
	fmt.Println("ready")
	for {
		_, err := fmt.Scan(&size, &count, &answered)
		if err != nil {
			server.Kill()
			server.Wait()
			return
		}
		fmt.Fprintln(toServer, size, count)
		start := cpu()
		for i := 0; i < count; i++ {
			a.put(size)
		}
		ours := cpu() - start
		_, err = fmt.Fscan(fromServer, &theirs, &got)
		check(err)
		fmt.Printf("%.9f %d\n", ours+theirs, got)
	}
}

func serve(depth int, address string) {
	conn, err := net.Dial("tcp", address)
	check(err)
	b := newEnd(conn, false, depth,
		&tls.Config{Certificates: []tls.Certificate{certificate()}})
	var size, count int
	for {
		_, err := fmt.Scan(&size, &count)
		if err != nil {
			return
		}
		start, got := cpu(), 0
		for i := 0; i < count; i++ {
			got += b.get(size)
		}
		fmt.Printf("%.9f %d\n", cpu()-start, got)
	}
}

func main() {
	for i := range data {
		data[i] = byte(i*7 + i/251)
	}
	depth, err := strconv.Atoi(os.Args[2])
	check(err)
	switch os.Args[1] {
	case "memory":
		overMemory(depth)
	case "socket":
		overSocket(depth)
	case "server":
		serve(depth, os.Args[3])
	}
}
