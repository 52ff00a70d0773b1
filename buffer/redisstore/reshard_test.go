package redisstore_test

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/servers"
	"sluice/internal/servers/servertest"
)

// resharding moves slots from node to node, one after the other, while somebody uses their keys.
type resharding struct {
	nodes servers.RedisClusterServers
	ids   []string
	moved map[string]time.Time // when a slot was last moved
	moves atomic.Int64
}

func reshard(t *testing.T, nodes servers.RedisClusterServers) *resharding {
	t.Helper()
	r := &resharding{nodes: nodes, moved: map[string]time.Time{}}
	for _, node := range nodes {
		id, err := node.Do("CLUSTER", "MYID")
		must(t, err)
		r.ids = append(r.ids, strings.TrimSpace(id))
	}
	return r
}

// move moves a slot from one node to another, so slowly that what is in it is seen half there. A MIGRATE
// that has timed out may have left its key on both nodes, where it is not known which is the newer
// one after the next write; hence its time-out is far beyond any pause of these machines.
func (r *resharding) move(slot string, from, to int) error {
	host, port, err := net.SplitHostPort(r.nodes[to].Addr)
	if err != nil {
		return err
	}
	pause := func() { time.Sleep(10 * time.Millisecond) }
	_, err = r.nodes[to].Do("CLUSTER", "SETSLOT", slot, "IMPORTING", r.ids[from])
	if err == nil {
		_, err = r.nodes[from].Do("CLUSTER", "SETSLOT", slot, "MIGRATING", r.ids[to])
	}
	for err == nil {
		pause()
		var keys string
		keys, err = r.nodes[from].Do("CLUSTER", "GETKEYSINSLOT", slot, "1")
		if err != nil || strings.TrimSpace(keys) == "" {
			break
		}
		_, err = r.nodes[from].Do("MIGRATE", host, port, strings.Fields(keys)[0], "0", "30000")
	}
	for _, node := range []int{to, from, 3 - from - to} {
		if err == nil {
			_, err = r.nodes[node].Do("CLUSTER", "SETSLOT", slot, "NODE", r.ids[to])
		}
	}
	if err == nil {
		err = r.agree()
	}
	if err == nil {
		r.moves.Add(1)
		r.moved[slot] = time.Now()
	}
	return err
}

// agree waits until all nodes have heard of the last move. Whoever takes a slot also takes a number that
// is above all it knows of; who has not yet heard of the number of the last one takes one that is too
// low, and loses the slot again.
func (r *resharding) agree() error {
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		views := map[string]bool{}
		for _, node := range r.nodes {
			answer, err := node.Do("CLUSTER", "NODES")
			if err != nil {
				return err
			}
			var view []string // of each node its name, its number and its slots
			for line := range strings.Lines(answer) {
				if words := strings.Fields(line); len(words) > 7 {
					view = append(view, fmt.Sprint(words[0], words[6], words[8:]))
				}
			}
			slices.Sort(view)
			views[strings.Join(view, "\n")] = true
		}
		if len(views) == 1 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the nodes do not agree within 30s who has which slot: %q", slices.Collect(maps.Keys(views)))
		}
	}
}

// settles is after which time a slot moves again. Valkey from 8 on takes a slot that it is importing as its own when
// it hears from the other node that it has not got it, and that may have been said before that node had
// got it itself.
const settles = 2 * time.Second

// run moves slots until the channel is closed.
func (r *resharding) run(namespace string, end <-chan struct{}) error {
	for from := 0; ; from = (from + 1) % len(r.nodes) {
		keys, err := r.nodes[from].Do("KEYS", namespace+"*")
		if err != nil {
			return err
		}
		moved := 0
		for _, key := range strings.Fields(keys) {
			answer, err := r.nodes[from].Do("CLUSTER", "KEYSLOT", key)
			if err != nil {
				return err
			}
			slot := strings.TrimSpace(answer)
			if moved == 3 || time.Since(r.moved[slot]) < settles {
				continue
			}
			select {
			case <-end:
				return nil
			default:
			}
			if err := r.move(slot, from, (from+1)%len(r.nodes)); err != nil {
				return fmt.Errorf("slot %s of key %s, from %s: %w", slot, key, r.nodes[from].Addr, err)
			}
			moved++
		}
		select {
		case <-end:
			return nil
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
	var failed atomic.Bool
	moving.Go(func() {
		if err := r.run(conf.Namespace, end); err != nil {
			failed.Store(true)
			t.Error(err)
		}
	})
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
	// However slow the machine is at moving, there is enough of it.
	const minRounds, maxRounds, minMoves, traces, each = 60, 2000, 40, 20, 3
	rounds := 0
	for ; rounds < minRounds || r.moves.Load() < minMoves && rounds < maxRounds && !failed.Load(); rounds++ {
		round := rounds
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
	if r.moves.Load() < minMoves {
		t.Errorf("%d moves of slots, want %d", r.moves.Load(), minMoves)
	}
	t.Logf("%d slots were moved %d times in %d rounds, %d steps refused for now", len(r.moved), r.moves.Load(), rounds, refused)
}
