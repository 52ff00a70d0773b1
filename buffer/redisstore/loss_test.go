package redisstore_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/internal/servers/servertest"
)

// No epoch comes again, whatever Redis loses: a worker that was frozen since before would be an owner
// again, and what other nodes of a cluster hold would be claimed under a later epoch for ever.
func TestEpochsOutliveTheData(t *testing.T) {
	redis := servertest.Redis(t)
	store := open(t, config(redis.Addr))
	last := buffer.Epoch(0)
	for range 2 {
		for range 5 {
			fenced, err := store.Fence(t.Context(), 3, buffer.AnyEpoch)
			if err != nil || fenced.Owner.Epoch <= last {
				t.Fatalf("epoch %d after %d (%v)", fenced.Owner.Epoch, last, err)
			}
			last = fenced.Owner.Epoch
		}
		fenced, err := store.Fence(t.Context(), 3, last)
		if err != nil || fenced.Owner.Epoch != last+1 {
			t.Fatalf("epoch %d after a fence of epoch %d (%v), want the next", fenced.Owner.Epoch, last, err)
		}
		last = fenced.Owner.Epoch
		if _, err := redis.Do("FLUSHALL"); err != nil {
			t.Fatal(err)
		}
	}
}

// Each node of a cluster counts beats of its own.
func TestEachNodeCountsBeats(t *testing.T) {
	nodes := servertest.NewRedisCluster(t)
	store := open(t, config(servertest.Addrs(nodes)...))
	for beat := uint64(1); beat <= 3; beat++ {
		pulses, err := store.Beat(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, p := range pulses {
			if seen[p.Node] = true; p.Beats != beat {
				t.Errorf("node %s counts %d, want %d", p.Node, p.Beats, beat)
			}
		}
		for _, n := range nodes {
			if !seen[n.Addr] {
				t.Errorf("node %s counts nothing: %v", n.Addr, pulses)
			}
		}
	}
	if _, err := nodes[1].Do("FLUSHALL"); err != nil {
		t.Fatal(err)
	}
	pulses, err := store.Beat(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pulses {
		if want := map[bool]uint64{true: 1, false: 4}[p.Node == nodes[1].Addr]; p.Beats != want {
			t.Errorf("node %s counts %d after node %s was wiped, want %d", p.Node, p.Beats, nodes[1].Addr, want)
		}
	}
}

// By the clock of a host that is a day ahead, or by its own that is a day behind, a witness seems silent
// that is not: it must not be forgotten for that, or it would take Redis for wiped. One that is gone is.
func TestAWitnessIsForgottenOnceItIsGone(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis} {
		t.Run(p.name, func(t *testing.T) {
			name := namespace()
			store := p.open(t).Fork(name, 0)
			beat := func(witness uint64) uint64 {
				t.Helper()
				pulses, err := store.Beat(t.Context(), witness)
				if err != nil || len(pulses) != 1 {
					t.Fatalf("%v (%v), want one pulse", pulses, err)
				}
				return pulses[0].Beats
			}
			seemsSilent := func(witness string) {
				must(t, store.Do(t.Context(), "HSET", name+"{m:0}", witness, "7 57"))
			}
			seemsSilent("1")
			seemsSilent("2")
			beat(4)
			for range 98 {
				beat(4)
			}
			beat(3)
			beat(4) // the last of many beats, of who does not doubt
			if got := beat(1); got != 8 {
				t.Errorf("a witness that seemed silent has beat %d, want 8", got)
			}
			seemsSilent("1") // by its clock it is
			for range 200 {
				beat(3)
			}
			if got := beat(1); got != 8 {
				t.Errorf("a witness whose clock is behind has beat %d, want 8", got)
			}
			if got := beat(2); got != 1 {
				t.Errorf("a witness that was gone is remembered: it has beat %d, want 1", got)
			}
		})
	}
}

// TestABeatCountsWhoIsThere: the first beat, and then one of twenty; not who has been silent, or is in doubt.
func TestABeatCountsWhoIsThere(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis} {
		t.Run(p.name, func(t *testing.T) {
			name := namespace()
			store := p.open(t).Fork(name, 0)
			beat := func(witness uint64, want int) {
				t.Helper()
				pulses, err := store.Beat(t.Context(), witness)
				must(t, err)
				for _, pulse := range pulses {
					if pulse.Witnesses != want {
						t.Errorf("beat %d of %d counts %d witnesses, want %d", pulse.Beats, witness, pulse.Witnesses, want)
					}
				}
			}
			now := time.Now().Unix()
			must(t, store.Do(t.Context(), "HSET", name+"{m:0}", "a", fmt.Sprintf("7 %d", now-20), "b", "7 c 0"))
			beat(4, 1)
			beat(5, 2)
			for range 19 {
				beat(4, 0)
			}
			must(t, store.Do(t.Context(), "HSET", name+"{m:0}", "5", fmt.Sprintf("1 %d", time.Now().Unix())))
			beat(4, 2)
		})
	}
}

// What the queue of another slice names is that slice's.
func TestAdoptHeedsOtherSlices(t *testing.T) {
	for _, p := range []place{onRedis, onCluster} {
		t.Run(p.name, func(t *testing.T) {
			store := p.open(t)
			wiped(t, store)
			ours := store.Fork(namespace(), 0)
			theirs := ours.Sliced("their:1")
			root := buffer.Span{TraceKey: buffer.TraceKey{Project: 1, Trace: buffer.TraceID{1}},
				ID: buffer.SpanID{1}, Parent: buffer.SpanID{1}, Root: true, Size: 2, Payload: []byte("{}")}
			traces, _ := buffer.Group([]buffer.Span{root})
			answers, err := ours.Attach(t.Context(), buffer.Delivery{}, traces)
			if err != nil {
				t.Fatal(err)
			}
			g := answers[0].Live[0].Generation
			due := []buffer.Due{{Generation: g, Deadline: 1000}}
			if err := theirs.Enqueue(t.Context(), 0, buffer.QueueUpdate{Due: due}); err != nil {
				t.Fatal(err)
			}
			for from := "-"; from != ""; {
				swept, err := ours.Sweep(t.Context(), map[bool]string{true: "", false: from}[from == "-"], 10)
				if err != nil {
					t.Fatal(err)
				}
				from = swept.Next
			}
			adopted, err := ours.Adopt(t.Context(), 0, 1, 1, []buffer.Generation{g})
			if err != nil || len(adopted) != 0 {
				t.Errorf("adopted %v (%v), want none", adopted, err)
			}
			if err := theirs.Enqueue(t.Context(), 0, buffer.QueueUpdate{Merged: []buffer.Generation{g}}); err != nil {
				t.Fatal(err)
			}
			if adopted, err = ours.Adopt(t.Context(), 0, 1, 1, []buffer.Generation{g}); err != nil || len(adopted) != 1 {
				t.Errorf("adopted %v (%v), want what nobody names", adopted, err)
			}
		})
	}
}

// TestSweepLeavesOthersKeysAlone: what stands under the names of traces and is none, or is damaged, is named
// and passed over.
func TestSweepLeavesOthersKeysAlone(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis} {
		t.Run(p.name, func(t *testing.T) {
			within := namespace()
			store := p.open(t).Fork(within, 0)
			c := begun(t, store)
			id := strings.Repeat("ab", 16)
			for _, words := range [][]string{
				{"SET", "t:backup", "x"}, {"SET", "t:7:" + id, "damaged"}, {"LPUSH", "t:8:" + id, "a list"},
				{"HSET", "t:9:" + id, "0", "damaged"},
			} {
				words[1] = within + words[1]
				must(t, store.Do(t.Context(), words...))
			}
			var all buffer.Swept
			for from := "-"; from != ""; {
				swept, err := store.Sweep(t.Context(), strings.Trim(from, "-"), 100)
				must(t, err)
				all.Held, all.Unreadable = append(all.Held, swept.Held...), append(all.Unreadable, swept.Unreadable...)
				from = swept.Next
			}
			if len(all.Held) != len(c.names) {
				t.Errorf("it found %v, want %v", all.Held, c.names)
			}
			said := strings.Join(all.Unreadable, "\n")
			for _, name := range []string{"t:backup", "t:7:", "t:8:", "t:9:"} {
				if strings.Count(said, within+name) != 1 {
					t.Errorf("it does not name %s once:\n%s", name, said)
				}
			}
		})
	}
}

// A beat names the server that counts it, and each start of it differently.
func TestBeatNamesTheStartOfTheServer(t *testing.T) {
	redis := servertest.Redis(t)
	store := open(t, config(redis.Addr))
	beat := func(want uint64) string {
		t.Helper()
		pulses, err := store.Beat(t.Context(), 5)
		if err != nil || len(pulses) != 1 || pulses[0].Beats != want || pulses[0].Server == "" {
			t.Fatalf("%+v (%v), want beat %d and a server", pulses, err, want)
		}
		return pulses[0].Server
	}
	first := beat(1)
	if again := beat(2); again != first {
		t.Errorf("server %s is %s in the next beat", first, again)
	}
	if err := errors.Join(redis.Halt(true), redis.Start()); err != nil {
		t.Fatal(err)
	}
	if another := beat(3); another == first {
		t.Errorf("server %s is the same after a restart", first)
	}
}

// TestANamespaceIsNoPattern: what is looked for key by key is found in a namespace with the letters of one,
// and nothing of others that it would match.
func TestANamespaceIsNoPattern(t *testing.T) {
	for _, p := range []place{onMiniredis, onRedis, onCluster} {
		t.Run(p.name, func(t *testing.T) {
			shared := p.open(t)
			for i, name := range []string{"a[1-9]*?:", "ab:", `a\:`} {
				store := shared.Fork(namespace()+name, 0)
				fill(t, store)
				if met, err := sweepAll(t, store); err != nil || met != traces {
					t.Errorf("the sweep of %q meets %d spans of %d, %v", name, met, traces, err)
				}
				if left, err := store.Leftovers(t.Context()); err != nil || len(left.Held) != traces {
					t.Errorf("%d traces are left in %q, %v; want %d, after %d others", len(left.Held), name, err, traces, i)
				}
			}
		})
	}
}
