package ingest

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// rig is a loop with everything around it. Its tests run in synctest bubbles.
type rig struct {
	t        *testing.T
	config   Config
	ports    Ports
	broker   *broker
	store    *memstore.Store
	steps    *faultyStore
	gate     *gate
	assigner *assigner
	journal  *journal

	loop       *Loop
	stop, kill context.CancelFunc
	ended      chan error
}

func newRig(t *testing.T) *rig {
	none := func(string) error { return nil }
	r := &rig{
		t:        t,
		config:   DefaultConfig("spans", "spans-dlq"),
		broker:   newBroker(),
		gate:     &gate{},
		assigner: &assigner{},
		journal:  &journal{},
		ended:    make(chan error, 1),
	}
	r.store = memstore.New(r.config.Options)
	r.steps = &faultyStore{Store: r.store, before: none, after: none}
	r.ports = Ports{
		Clock: wallclock.Clock{}, Tasks: wallclock.Tasks{}, Source: r.broker, Store: r.steps,
		Decoder: text{}, DeadLetters: r.broker, Gate: r.gate, Assigner: r.assigner,
		Events: r.journal.add,
	}
	return r
}

// start runs the loop with these partitions assigned; the test's end stops it.
func (r *rig) start(partitions ...int32) {
	r.t.Helper()
	loop, err := New(r.config, r.ports)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	stopped, stop := context.WithCancel(ctx)
	r.loop, r.kill, r.stop = loop, kill, stop
	r.broker.change(flusher.Fetch{Assigned: partitions})
	go func() { r.ended <- loop.Run(ctx, stopped) }()
}

// end stops the loop and expects that it drains.
func (r *rig) end() {
	r.t.Helper()
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Errorf("Run = %v, want nil after stop", err)
	}
	r.kill()
}

// settle lets virtual time pass until nothing is left to do.
func settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// held returns what the store holds, taken out through the shard's queue: "trace:spans" per
// segment, sorted.
func held(t *testing.T, store buffer.Store, shards ...buffer.Shard) string {
	t.Helper()
	ctx := context.Background()
	var segments []string
	for _, shard := range shards {
		fenced, err := store.Fence(ctx, shard, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		leased, err := store.Lease(ctx, fenced.Owner, buffer.Seconds(1<<40), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, due := range leased.Due {
			one := []buffer.Generation{due.Generation}
			claims, err := store.Claim(ctx, fenced.Owner, one)
			if err != nil || claims[0].State != buffer.ClaimOwned {
				continue // merged into another, or in flight under another shard
			}
			loaded, err := store.Load(ctx, fenced.Owner, one)
			if err != nil {
				t.Fatal(err)
			}
			segments = append(segments, spell(due.Generation, loaded[0].Spans))
		}
	}
	slices.Sort(segments)
	return strings.Join(segments, " ")
}

func spell(g buffer.Generation, spans []buffer.Span) string {
	var ids []string
	for _, span := range spans {
		ids = append(ids, strings.TrimRight(string(span.ID[:]), "\x00"))
	}
	sort.Strings(ids)
	return fmt.Sprintf("%c:%s", g.Trace[0], strings.Join(ids, ","))
}
