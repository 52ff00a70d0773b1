package redisstore_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
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

// TestAnEvictingServerTakesOver: the one that Open asked was fit, and the one behind its address now is not.
func TestAnEvictingServerTakesOver(t *testing.T) {
	old := servertest.Redis(t, "--repl-diskless-sync-delay", "0")
	next := servertest.Redis(t, "--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb")
	follow(t, next, old)
	w := newWay(t, old.Addr)
	c := &cycle{t: t, store: open(t, config(w.address))}
	evicts := func(want bool) error {
		nodes, err := c.store.Evictions(t.Context())
		if err != nil || len(nodes) != 1 || nodes[0].Err != nil || (nodes[0].Words != "") != want || want &&
			(!strings.Contains(nodes[0].Words, w.address) || !strings.Contains(nodes[0].Words, "allkeys-lru")) {
			return fmt.Errorf("nodes are %q, %v, want one that evicts: %v: %w", nodes, err, want, buffer.ErrUnavailable)
		}
		return nil
	}
	must(t, c.attach(1))
	must(t, evicts(false))
	untilReplicated(t, old, next)
	_, err := next.Do("REPLICAOF", "NO", "ONE")
	must(t, err)
	follow(t, old, next)
	w.to.Store(&next.Addr)
	eventually(t, func() error { return c.attach(1) })
	// The question may still go over a connection to the one before, until the client lets go of it.
	eventually(t, func() error { return errors.Join(c.attach(1), evicts(true)) })
	for _, policy := range []string{"volatile-lru", "noeviction"} {
		_, err := next.Do("CONFIG", "SET", "maxmemory-policy", policy)
		must(t, err)
		eventually(t, func() error { return evicts(false) })
	}
}

// TestEvictingNodes of a cluster are found though another does not answer, which is said of that one.
func TestEvictingNodes(t *testing.T) {
	t.Parallel()
	nodes := servertest.NewRedisCluster(t)
	store := open(t, config(servertest.Addrs(nodes)...))
	for _, setting := range [][2]string{{"maxmemory", "1gb"}, {"maxmemory-policy", "allkeys-random"}} {
		_, err := nodes[0].Do("CONFIG", "SET", setting[0], setting[1])
		must(t, err)
	}
	must(t, nodes[1].Halt(false))
	found, err := store.Evictions(t.Context())
	if err != nil || len(found) != len(nodes) {
		t.Fatalf("found are %q, %v, want %d nodes", found, err, len(nodes))
	}
	for _, node := range found {
		if evicts := node.Node == nodes[0].Addr; evicts != strings.Contains(node.Words, node.Node) {
			t.Errorf("of %s it is said %q, want that it evicts: %v", node.Node, node.Words, evicts)
		}
		if away := node.Node == nodes[1].Addr; away != errors.Is(node.Err, buffer.ErrUnavailable) ||
			away != (node.Err != nil) {
			t.Errorf("the error of %s is %v, want that it does not answer: %v", node.Node, node.Err, away)
		}
	}
}
