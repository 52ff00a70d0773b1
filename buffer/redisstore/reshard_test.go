package redisstore_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// resharding moves slots from node to node, one after the other, while somebody uses their keys.
type resharding struct {
	t     *testing.T
	nodes servers.RedisClusterServers
	ids   []string
	slots map[string]bool // moved at least once
}

func reshard(t *testing.T, nodes servers.RedisClusterServers) *resharding {
	r := &resharding{t: t, nodes: nodes, slots: map[string]bool{}}
	for _, node := range nodes {
		r.ids = append(r.ids, r.do(node, "CLUSTER", "MYID"))
	}
	return r
}

func (r *resharding) do(node *servers.RedisServer, words ...string) string {
	r.t.Helper()
	answer, err := node.Do(words...)
	if err != nil {
		r.t.Error(err)
	}
	return strings.TrimSpace(answer)
}

// move moves a slot from one node to another, so slowly that what is in it is seen half there.
func (r *resharding) move(slot string, from, to int) {
	r.slots[slot] = true
	pause := func() { time.Sleep(2 * time.Millisecond) }
	r.do(r.nodes[to], "CLUSTER", "SETSLOT", slot, "IMPORTING", r.ids[from])
	r.do(r.nodes[from], "CLUSTER", "SETSLOT", slot, "MIGRATING", r.ids[to])
	pause()
	host, port, err := net.SplitHostPort(r.nodes[to].Addr)
	if err != nil {
		r.t.Error(err)
	}
	for {
		keys := strings.Fields(r.do(r.nodes[from], "CLUSTER", "GETKEYSINSLOT", slot, "1"))
		if len(keys) == 0 {
			break
		}
		r.do(r.nodes[from], "MIGRATE", host, port, keys[0], "0", "1000")
		pause()
	}
	for _, node := range []int{to, from, 3 - from - to} {
		r.do(r.nodes[node], "CLUSTER", "SETSLOT", slot, "NODE", r.ids[to])
	}
}

// run moves slots until the channel is closed.
func (r *resharding) run(namespace string, end <-chan struct{}) {
	for from := 0; ; from = (from + 1) % len(r.nodes) {
		moved := map[string]bool{}
		for _, key := range strings.Fields(r.do(r.nodes[from], "KEYS", namespace+"*")) {
			slot := r.do(r.nodes[from], "CLUSTER", "KEYSLOT", key)
			if moved[slot] || len(moved) == 3 {
				continue
			}
			select {
			case <-end:
				return
			default:
				r.move(slot, from, (from+1)%len(r.nodes))
				moved[slot] = true
			}
		}
		select {
		case <-end:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// TestSlotsThatMove: each step is done as a whole while the slot of its keys moves to another node, or is
// refused for now.
func TestSlotsThatMove(t *testing.T) {
	t.Parallel()
	nodes := servertest.NewRedisCluster(t)
	conf := config(servertest.Addrs(nodes)...)
	store := open(t, conf)
	r := reshard(t, nodes)
	end := make(chan struct{})
	var moving sync.WaitGroup
	moving.Go(func() { r.run(conf.Namespace, end) })
	stop := sync.OnceFunc(func() { close(end); moving.Wait() })
	defer stop()
	var owner buffer.Owner
	refused := 0
	step := func(do func() error) {
		t.Helper()
		eventually(t, func() error {
			err := do()
			if err != nil {
				refused++
			}
			return err
		})
	}
	step(func() error {
		fenced, err := store.Fence(t.Context(), 0, buffer.AnyEpoch)
		owner = fenced.Owner
		return err
	})
	const rounds, traces, each = 60, 20, 3
	for round := range rounds {
		var batches []buffer.TraceBatch
		var ids []buffer.SpanID
		for i := range traces {
			batches = append(batches, traceSpans(byte(i), each)...)
		}
		for i := range each {
			ids = append(ids, batches[0].Subtrees[0].Spans[i].ID)
		}
		var answers []buffer.Attached
		step(func() (err error) {
			answers, err = store.Attach(t.Context(), delivery(round+1), batches)
			return err
		})
		due := make([]buffer.Due, 0, traces)
		for i, a := range answers {
			if len(a.Live) != 1 {
				t.Fatalf("round %d: trace %d has %d generations", round, i, len(a.Live))
			}
			due = append(due, buffer.Due{Generation: a.Live[0].Generation, Deadline: buffer.Seconds(2)})
		}
		now := buffer.Seconds(1)
		step(func() error {
			return store.Enqueue(t.Context(), 0, buffer.QueueUpdate{Clock: now, Wall: now, Due: due})
		})
		var leased []buffer.Generation
		for len(leased) < traces {
			var got buffer.Leased
			before := refused
			step(func() (err error) {
				got, err = store.Lease(t.Context(), owner, buffer.Seconds(3), 100)
				return err
			})
			for _, d := range got.Due {
				leased = append(leased, d.Generation)
			}
			if len(got.Due) == 0 && refused == before {
				t.Fatalf("round %d: %d of %d are leased, and no more is due", round, len(leased), traces)
			}
		}
		var claims []buffer.Claim
		step(func() (err error) {
			claims, err = store.Claim(t.Context(), owner, leased)
			return err
		})
		var loaded []buffer.Loaded
		step(func() (err error) {
			loaded, err = store.Load(t.Context(), owner, leased)
			return err
		})
		flushed := make([]buffer.Flushed, traces)
		for i := range leased {
			if claims[i].State != buffer.ClaimOwned || claims[i].Spans != each || len(loaded[i].Spans) != each {
				t.Fatalf("round %d: claim %+v, loaded %d spans", round, claims[i], len(loaded[i].Spans))
			}
			flushed[i] = buffer.Flushed{Generation: leased[i], Spans: ids, Along: claims[i].Loaded != nil}
		}
		step(func() error {
			_, err := store.Ack(t.Context(), owner, flushed)
			return err
		})
		step(func() error { return store.Release(t.Context(), owner, buffer.Release{Done: leased}) })
	}
	stop()
	left, err := store.Leftovers(t.Context())
	if err != nil || !left.Empty() {
		t.Errorf("left over: %v, %v", left, err)
	}
	if len(r.slots) < 10 {
		t.Errorf("%d slots were moved, which is no trial", len(r.slots))
	}
	t.Logf("%d slots were moved, %d steps refused for now", len(r.slots), refused)
}
