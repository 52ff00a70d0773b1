package redisstore_test

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// way is an address that leads to a server, and to another one later: connections that are there stay.
type way struct {
	address string
	to      atomic.Pointer[string]
	dialled atomic.Int64
}

func newWay(t *testing.T, to string) *way {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w := &way{address: listener.Addr().String()}
	w.to.Store(&to)
	go func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			w.dialled.Add(1)
			server, err := net.Dial("tcp", *w.to.Load())
			if err != nil {
				_ = from.Close()
				continue
			}
			pour := func(to, from net.Conn) {
				_, _ = io.Copy(to, from)
				_, _ = to.Close(), from.Close()
			}
			go pour(server, from)
			go pour(from, server)
		}
	}()
	t.Cleanup(func() { _ = listener.Close() })
	return w
}

// follow makes a server the replica of another.
func follow(t *testing.T, replica, primary *servers.RedisServer) {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	must(t, err)
	_, err = replica.Do("REPLICAOF", host, port)
	must(t, err)
}

// TestAFailoverThatKeepsConnections: the old primary goes on as a replica and closes nothing, and the address
// leads to the new one.
func TestAFailoverThatKeepsConnections(t *testing.T) {
	old, next := servertest.Redis(t, "--repl-diskless-sync-delay", "0"), servertest.Redis(t)
	follow(t, next, old)
	w := newWay(t, old.Addr)
	c := &cycle{t: t, store: open(t, config(w.address))}
	must(t, c.attach(1))
	must(t, c.enqueue())
	untilReplicated(t, old, next)
	_, err := next.Do("REPLICAOF", "NO", "ONE")
	must(t, err)
	follow(t, old, next)
	w.to.Store(&next.Addr)
	for _, step := range c.steps()[2:] {
		eventually(t, step)
	}
	c.expectEmpty()
}

// TestAnAddressOfAReplica: one that leads to nothing better is not dialled at every call.
func TestAnAddressOfAReplica(t *testing.T) {
	primary, replica := servertest.Redis(t), servertest.Redis(t)
	follow(t, replica, primary)
	w := newWay(t, replica.Addr)
	c := &cycle{t: t, store: open(t, config(w.address))}
	began, before := time.Now(), w.dialled.Load()
	for range 100 {
		if err := c.attach(1); !errors.Is(err, buffer.ErrUnavailable) {
			t.Fatalf("attach on a replica gives %v, want %v", err, buffer.ErrUnavailable)
		}
	}
	if n := w.dialled.Load() - before; n > 1+int64(time.Since(began)/time.Second) {
		t.Errorf("it was dialled %d times in %v", n, time.Since(began))
	}
}
