package main

import (
	"io"
	"net"
	"sync"
	"testing"

	"sluice/internal/servers/servertest"
)

// relay stands between the program and a server, and can be cut: from then on the server is as good
// as dead, until the relay is mended. (miniredis itself answers nonsense while it is closed.)
type relay struct {
	t      *testing.T
	addr   string
	server string

	mu       sync.Mutex
	listener net.Listener
	conns    map[net.Conn]struct{}
}

func newRelay(t *testing.T, server string) *relay {
	t.Helper()
	r := &relay{t: t, addr: servertest.Unused(t), server: server}
	r.mend()
	t.Cleanup(r.cut)
	return r
}

// mend listens, on the same address as before.
func (r *relay) mend() {
	r.t.Helper()
	listener, err := net.Listen("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listener, r.conns = listener, make(map[net.Conn]struct{})
	go r.accept(listener)
}

// cut ends every connection, and refuses new ones.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	_ = r.listener.Close()
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.conns = nil
}

func (r *relay) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !r.keep(client, server) {
			return
		}
		go r.copy(client, server)
		go r.copy(server, client)
	}
}

// keep notes a pair of connections; if the relay was cut meanwhile it ends them.
func (r *relay) keep(pair ...net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, conn := range pair {
		if r.conns == nil {
			_ = conn.Close()
			continue
		}
		r.conns[conn] = struct{}{}
	}
	return r.conns != nil
}

// copy ends both sides when one has ended.
func (r *relay) copy(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, to)
	delete(r.conns, from)
}
