package pipeline

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers/servertest"
	"sluice/internal/syncbuf"
)

// TestEvictingIsLearned: what is found is new once, and again if it was over or is another; who does not answer is
// what it was, and nobody else.
func TestEvictingIsLearned(t *testing.T) {
	var e evicting
	for i, c := range []struct {
		nodes        string // each with what it evicts; "?" if it does not answer
		fresh, known string
	}{
		{"a= b=", "", ""},
		{"a=lru b=", "a:lru", "a:lru"},
		{"a=lru b=lru", "b:lru", "a:lru b:lru"},
		{"a=? b=lru", "", "a:lru b:lru"},
		{"a=? b= c=lru", "c:lru", "a:lru c:lru"},
		{"a=? b= c=random", "c:random", "a:lru c:random"},
		{"a=? b=? c=?", "", "a:lru c:random"},
		{"b=? c=?", "", "c:random"},
		{"a=lru b= c=", "a:lru", "a:lru"},
		{"a= b= c=", "", ""},
	} {
		var nodes []redisstore.NodeEviction
		for _, text := range strings.Fields(c.nodes) {
			name, evicts, _ := strings.Cut(text, "=")
			node := redisstore.NodeEviction{Node: name}
			switch evicts {
			case "":
			case "?":
				node.Err = buffer.ErrUnavailable
			default:
				node.Words = name + ":" + evicts
			}
			nodes = append(nodes, node)
		}
		fresh := strings.Join(e.learn(nodes), " ")
		if known := strings.Join(e.known(), " "); fresh != c.fresh || known != c.known {
			t.Errorf("look %d finds %q: %q is new and %q known, want %q and %q", i, c.nodes, fresh, known, c.fresh,
				c.known)
		}
	}
}

// TestEvictingIsSaidOnce: of a Redis that is set so later, and of one that does not answer any more nothing else.
func TestEvictingIsSaidOnce(t *testing.T) {
	server := servertest.Redis(t, "--maxmemory", "1gb")
	c := redisstore.DefaultConfig()
	c.Addresses = []string{server.Addr}
	store, err := redisstore.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var out syncbuf.Buffer
	p := &Pipeline{store: store, log: slog.New(slog.NewTextHandler(&out, nil))}
	ask := func(said, known int) {
		t.Helper()
		p.askEvicting(t.Context())
		want := fmt.Sprintf("level=ERROR msg=\"redis %s has maxmemory-policy allkeys-lru", server.Addr)
		if n := strings.Count(out.String(), want); n != said || strings.Count(out.String(), "\n") != said {
			t.Errorf("the log says %q, want %d times %q", out.String(), said, want)
		}
		if got := p.evicting.known(); len(got) != known {
			t.Errorf("%q are known, want %d", got, known)
		}
	}
	set := func(policy string) {
		t.Helper()
		if _, err := server.Do("CONFIG", "SET", "maxmemory-policy", policy); err != nil {
			t.Fatal(err)
		}
	}
	ask(0, 0)
	set("allkeys-lru")
	ask(1, 1)
	ask(1, 1)
	set("noeviction")
	ask(1, 0)
	set("allkeys-lru")
	ask(2, 1)
	if err := server.Halt(false); err != nil {
		t.Fatal(err)
	}
	ask(2, 1)
}
