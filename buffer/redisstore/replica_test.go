package redisstore_test

import (
	"slices"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// replicated starts a cluster whose first primary has a replica.
func replicated(t *testing.T) (primaries servers.RedisClusterServers, replica *servers.RedisServer) {
	t.Helper()
	primaries = servertest.NewRedisCluster(t)
	return primaries, servertest.Replica(t, primaries, 0)
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after 30s: %s", what)
		}
	}
}

// sweepAll goes through all traces once, and returns how many spans it met.
func sweepAll(t *testing.T, store *redisstore.Store) (spans int, err error) {
	for from := ""; ; {
		swept, err := store.Sweep(t.Context(), from, 100)
		if err != nil {
			return spans, err
		}
		for _, h := range swept.Held {
			spans += h.Spans
		}
		if from = swept.Next; from == "" {
			return spans, nil
		}
	}
}

// traces is how many of one span each fill attaches.
const traces = 60

func fill(t *testing.T, store *redisstore.Store) {
	t.Helper()
	var spans []buffer.Span
	for i := range traces {
		id := buffer.SpanID{byte(i + 1)}
		spans = append(spans, buffer.Span{TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{byte(i)}},
			ID: id, Parent: id, Root: true, Size: 2, Payload: []byte("{}")})
	}
	batches, _ := buffer.Group(spans)
	if _, err := store.Attach(t.Context(), buffer.Delivery{}, batches); err != nil {
		t.Fatal(err)
	}
}

func untilReplicated(t *testing.T, primary, replica *servers.RedisServer) {
	t.Helper()
	until(t, "the replica has its part", func() bool {
		size, err := replica.Do("DBSIZE")
		theirs, err2 := primary.Do("DBSIZE")
		return err == nil && err2 == nil && size == theirs && size != "0"
	})
}

// TestAReplicaThatTakesOverIsAsked by all that goes node by node, and the node that is gone no more.
func TestAReplicaThatTakesOverIsAsked(t *testing.T) {
	t.Parallel()
	primaries, replica := replicated(t)
	conf := config(servertest.Addrs(primaries)...)
	conf.AnswerTimeout = 5 * time.Second
	store := open(t, conf)
	fill(t, store)
	beat := func() (nodes []string) {
		pulses, err := store.Beat(t.Context(), 7)
		for _, p := range pulses {
			nodes = append(nodes, p.Node)
		}
		if err != nil {
			return nil
		}
		return nodes
	}
	if nodes := beat(); !slices.Contains(nodes, primaries[0].Addr) {
		t.Fatalf("beats of %v, want one of %s", nodes, primaries[0].Addr)
	}
	untilReplicated(t, primaries[0], replica)
	must(t, primaries[0].Kill())
	until(t, "the sweep meets all", func() bool {
		met, err := sweepAll(t, store)
		return err == nil && met == traces
	})
	until(t, "the memory of the replica is told", func() bool {
		nodes, err := store.Memory(t.Context())
		return err == nil && len(nodes) == len(primaries) &&
			slices.ContainsFunc(nodes, func(n buffer.NodeMemory) bool { return n.Node == replica.Addr })
	})
	until(t, "the replica beats", func() bool { return slices.Contains(beat(), replica.Addr) })
	for shard := range buffer.Shard(16) {
		eventually(t, func() error {
			_, err := store.Fence(t.Context(), shard, buffer.AnyEpoch)
			return err
		})
	}
}

// TestAReplicaIsNotNeeded: what it holds is counted once, and when it dies, nothing fails for that which
// asks node by node, in a store that is open and in one that is opened then.
func TestAReplicaIsNotNeeded(t *testing.T) {
	t.Parallel()
	primaries, replica := replicated(t)
	conf := config(servertest.Addrs(primaries)...)
	conf.AnswerTimeout = 5 * time.Second
	store := open(t, conf)
	fill(t, store)
	untilReplicated(t, primaries[0], replica)
	check := func(when string, store *redisstore.Store) {
		t.Helper()
		if met, err := sweepAll(t, store); err != nil || met != traces {
			t.Errorf("%s the sweep meets %d spans of %d, %v", when, met, traces, err)
		}
		if nodes, err := store.Memory(t.Context()); err != nil || len(nodes) != len(primaries) {
			t.Errorf("%s the memory of %d nodes is told, %v; want that of %d", when, len(nodes), err, len(primaries))
		}
		if left, err := store.Leftovers(t.Context()); err != nil || len(left.Held) != traces {
			t.Errorf("%s %d traces are left, %v; want %d", when, len(left.Held), err, traces)
		}
	}
	check("with a replica", store)
	must(t, replica.Kill())
	for range 10 { // each may ask another node
		check("without it", store)
	}
	again, err := redisstore.Open(t.Context(), conf)
	if err != nil {
		t.Fatalf("with a replica that is away the store does not open: %v", err)
	}
	defer again.Close()
	check("opened without it", again)
}

// TestNodesWithoutAnAddress: a cluster may leave it to its clients by which address they reach its nodes.
func TestNodesWithoutAnAddress(t *testing.T) {
	t.Parallel()
	primaries := servertest.NewRedisCluster(t, "--cluster-preferred-endpoint-type", "unknown-endpoint")
	store := open(t, config(servertest.Addrs(primaries)...))
	fill(t, store)
	if met, err := sweepAll(t, store); err != nil || met != traces {
		t.Errorf("the sweep meets %d spans of %d, %v", met, traces, err)
	}
	if pulses, err := store.Beat(t.Context(), 7); err != nil || len(pulses) != len(primaries) {
		t.Errorf("%d nodes beat, %v; want %d", len(pulses), err, len(primaries))
	}
}

// TestWhoMayNotAskForSlots goes by what the client knows of the nodes.
func TestWhoMayNotAskForSlots(t *testing.T) {
	t.Parallel()
	primaries := servertest.NewRedisCluster(t)
	conf := config(servertest.Addrs(primaries)...)
	store := open(t, conf)
	fill(t, store)
	must(t, store.Do(t.Context(), "ACL", "SETUSER", "default", "-cluster|slots"))
	if met, err := sweepAll(t, store); err != nil || met != traces {
		t.Errorf("the sweep meets %d spans of %d, %v", met, traces, err)
	}
	if nodes, err := store.Memory(t.Context()); err != nil || len(nodes) != len(primaries) {
		t.Errorf("the memory of %d nodes is told, %v; want that of %d", len(nodes), err, len(primaries))
	}
}
