package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/memstore"
	"sluice/buffer/redisstore"
	"sluice/buffer/storetest"
	"sluice/flusher"
	"sluice/internal/servers/servertest"
)

// place is a kind of server that the store is tried on.
type place struct {
	name    string
	open    func(t testing.TB) *redisstore.Store
	cramped bool
}

var (
	onMiniredis = place{name: "miniredis", open: func(t testing.TB) *redisstore.Store {
		return open(t, config(miniredis.RunT(t).Addr())).ReadingFirst()
	}}
	onFew = place{name: "miniredis with few at a time", open: func(t testing.TB) *redisstore.Store {
		return open(t, config(miniredis.RunT(t).Addr()))
	}}
	onRedis = place{name: "Redis", open: func(t testing.TB) *redisstore.Store {
		return open(t, config(servertest.RedisAddr(t))).ReadingFirst()
	}}
	onCluster = place{name: "Redis Cluster", open: func(t testing.TB) *redisstore.Store {
		return open(t, config(servertest.RedisCluster(t)...)).ReadingFirst()
	}}
)

var places = []place{
	onMiniredis, onRedis, onCluster, onFew,
	{"miniredis with every trace a giant", func(t testing.TB) *redisstore.Store {
		return open(t, config(miniredis.RunT(t).Addr())).Cramped()
	}, true},
	{"Redis with every trace a giant", func(t testing.TB) *redisstore.Store {
		return open(t, config(servertest.RedisAddr(t))).Cramped()
	}, true},
	{"miniredis with segments that leave first", func(t testing.TB) *redisstore.Store {
		return open(t, config(miniredis.RunT(t).Addr())).CrampedSegments()
	}, true},
	{"Redis with segments that leave first", func(t testing.TB) *redisstore.Store {
		return open(t, config(servertest.RedisAddr(t))).CrampedSegments()
	}, true},
	{"Redis with compression", func(t testing.TB) *redisstore.Store {
		c := config(servertest.RedisAddr(t))
		c.Compression = true
		return open(t, c)
	}, false},
}

func config(addresses ...string) redisstore.Config {
	c := redisstore.DefaultConfig()
	c.Addresses = addresses
	c.Namespace = namespace()
	return c
}

var (
	allNamespaces = fmt.Sprintf("test-%d-", os.Getpid())
	namespaces    atomic.Int64
)

// namespace returns one that nobody else has, so that tests can share a server.
func namespace() string {
	return fmt.Sprintf("%s%d:", allNamespaces, namespaces.Add(1))
}

func open(tb testing.TB, c redisstore.Config) *redisstore.Store {
	tb.Helper()
	store, err := redisstore.Open(tb.Context(), c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(store.Close)
	return store
}

// fork makes stores on the connections of one, each with a namespace of its own.
func fork(store *redisstore.Store) storetest.Factory {
	return func(tb testing.TB, options buffer.Options) storetest.Store {
		return store.Fork(namespace(), options.MaxSegmentBytes).Counting()
	}
}

func wiped(t *testing.T, store *redisstore.Store) {
	t.Cleanup(func() {
		if err := store.Fork(allNamespaces, 0).Wipe(context.Background()); err != nil {
			t.Errorf("wipe: %v", err)
		}
	})
}

func TestConformance(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			storetest.Conformance(t, storetest.Subject{
				Name:     "redisstore on " + p.name,
				Open:     fork(store),
				Codec:    func(limit buffer.Bytes) storetest.Codec { return codec.New(limit) },
				ShardMap: flusher.ShardMap,
			})
		})
	}
}

func TestSteps(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			storetest.Steps(t, fork(store))
		})
	}
}

func TestPropertyOrderIndependence(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			storetest.OrderProperty(t, "order independence", fork(store))
		})
	}
}

func TestProperty(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			reference := func(_ testing.TB, o buffer.Options) storetest.Store {
				if p.cramped {
					return memstore.NewCramped(o, redisstore.CrampedWayMax)
				}
				return memstore.New(o)
			}
			storetest.Property(t, "redisstore gives memstore's answers", reference, fork(store))
		})
	}
}
