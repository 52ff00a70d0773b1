package consumer_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/consumer"
)

// kept is the store of a rig, whose content can be exchanged for another.
type kept struct {
	mu   sync.Mutex
	now  *memstore.Store
	away error
	// server is the name of the one that answers; beside is that of another that does, too, if not empty.
	server, beside string
	// unreadable is what stands among its traces.
	unreadable []string
	// blind is the answer of Sweep if it is not nil.
	blind error
	// witnesses is how many each beat counts, if not 0.
	witnesses int
	// looked holds when traces were looked at.
	looked []time.Time
}

func (k *kept) store() (*memstore.Store, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now, k.away
}

func (k *kept) Beat(ctx context.Context, witness uint64) ([]buffer.Pulse, error) {
	s, err := k.store()
	if err != nil {
		return nil, err
	}
	pulses, err := s.Beat(ctx, witness)
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range pulses {
		pulses[i].Server = k.server
		pulses[i].Witnesses = cmp.Or(k.witnesses, pulses[i].Witnesses)
		if k.beside != "" {
			other := pulses[i]
			other.Marker, other.Server = "beside", k.beside
			pulses = append(pulses, other)
		}
	}
	return pulses, err
}

func (k *kept) Sweep(ctx context.Context, from string, limit int) (buffer.Swept, error) {
	s, err := k.store()
	if err != nil {
		return buffer.Swept{}, err
	}
	k.mu.Lock()
	k.looked = append(k.looked, time.Now())
	err = k.blind
	k.mu.Unlock()
	if err != nil {
		return buffer.Swept{}, err
	}
	swept, err := s.Sweep(ctx, from, limit)
	swept.Unreadable = k.unreadable
	return swept, err
}

func (k *kept) Adopt(
	ctx context.Context, shard buffer.Shard, wall buffer.Instant, after time.Duration, gs []buffer.Generation,
) ([]buffer.Generation, error) {
	s, err := k.store()
	if err != nil {
		return nil, err
	}
	return s.Adopt(ctx, shard, wall, after, gs)
}

// orphan stores a trace that no queue names, as if a batch of that partition had brought it.
func orphan(t *testing.T, s *memstore.Store, partition int32, n byte) {
	t.Helper()
	spans := []buffer.Span{{TraceKey: buffer.TraceKey{Project: 9, Trace: buffer.TraceID{n}},
		ID: buffer.SpanID{n}, Parent: buffer.SpanID{n}, Root: true, Size: 1}}
	traces, _ := buffer.Group(spans)
	_, err := s.Attach(t.Context(), buffer.Delivery{
		ID: buffer.DeliveryID{Partition: partition, Number: int64(n)}}, traces)
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatCannotBeReadIsSaidOnce, and neither ends the round nor keeps what no queue names from being found.
func TestWhatCannotBeReadIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		k.unreadable = []string{`key "t:backup": project "backup" is not a number`}
		for n := range byte(unreadableMany) {
			k.unreadable = append(k.unreadable, fmt.Sprintf("key %d", n))
		}
		orphan(t, k.now, 0, 1)
		c := r.run()
		time.Sleep(time.Minute)
		if a := c.Audited(); a.Adopted != 1 || a.Rounds < 10 {
			t.Errorf("%+v, want what no queue named, and many rounds", a)
		}
		var times int
		text := strings.Join(said(), "\n")
		if times = strings.Count(text, "cannot be read"); times != 1 {
			t.Errorf("it says %d times that something cannot be read, want once", times)
		}
		if n := strings.Count(text, "key "); n != unreadableMany || strings.Count(text, "backup\":") != 1 {
			t.Errorf("it names %d keys, want %d, the first among them:\n%s", n, unreadableMany, text)
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// unreadableMany is as many things as are named, one more of which there are.
const unreadableMany = 20

// audited is a rig whose store is watched, with what was said of it.
func audited(t *testing.T) (*rig, *kept, func() []string) {
	r := newRig(t)
	k := &kept{now: memstore.New(buffer.DefaultOptions())}
	r.cfg.Audit = consumer.DefaultAudit(1)
	r.ports.Auditor = k
	var mu sync.Mutex
	var said []string
	r.ports.AuditEvents = func(e consumer.AuditEvent) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, e.String())
	}
	return r, k, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), said...)
	}
}

// A loss is said once, every shard is fenced again, and the sweep makes haste.
func TestStoreThatWasWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		c := r.run()
		if got := said(); len(got) != 0 {
			t.Errorf("said %q of a store that lost nothing", got)
		}
		k.mu.Lock()
		calm := len(k.looked)
		k.now = k.now.Wiped()
		k.mu.Unlock()
		time.Sleep(1500 * time.Millisecond)
		got := said()
		if len(got) != 1 || !strings.Contains(got[0], "wiped") {
			t.Errorf("said %q, want one loss", got)
		}
		if a := c.Audited(); a.Losses != 1 || a.Rounds < uint64(calm)+2 {
			t.Errorf("%+v, want one loss and two more rounds", a)
		}
		k.mu.Lock()
		quick := false
		for i, at := range k.looked[1:] {
			quick = quick || at.Sub(k.looked[i]) < 100*time.Millisecond
		}
		if !quick {
			t.Errorf("traces were looked at %v, want haste after the loss", k.looked)
		}
		k.mu.Unlock()
		for _, w := range c.Workers() {
			if w.Starts != 2 || w.Restarts != 0 {
				t.Errorf("worker %d started %d times with %d restarts, want 2 and 0", w.Worker, w.Starts, w.Restarts)
			}
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestHasteIsShared: however many consumers there are, after a loss they look at no more traces together than one
// would, or than all do without haste.
func TestHasteIsShared(t *testing.T) {
	for witnesses, want := range map[int]time.Duration{
		0: 20 * time.Millisecond, 1: 20 * time.Millisecond, 12: 240 * time.Millisecond, 1000: time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			r, k, _ := audited(t)
			k.witnesses = witnesses
			c := r.run()
			time.Sleep(time.Minute)
			k.mu.Lock()
			calm := len(k.looked)
			k.now = k.now.Wiped()
			k.mu.Unlock()
			time.Sleep(3 * time.Second)
			k.mu.Lock()
			least := time.Hour
			for i, at := range k.looked[calm+1:] {
				least = min(least, at.Sub(k.looked[calm+i]))
			}
			k.mu.Unlock()
			if a := c.Audited(); least != want || a.Losses != 1 {
				t.Errorf("%d consumers: traces are looked at every %v, want %v; %+v", witnesses, least, want, a)
			}
			r.stop()
			if _, err := r.end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// What an empty node has lost is bounded by what was counted in it, also what was there before, and by what
// was stored since. Until it was counted, that is said.
func TestLossOfAnEmptyNodeIsBounded(t *testing.T) {
	for name, blind := range map[string]error{"counted": nil, "not counted": buffer.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const before = 20
				r, k, _ := audited(t)
				r.ports.Store = store{k.now, r}
				k.blind = blind
				var losses []consumer.Loss
				r.ports.AuditEvents = func(e consumer.AuditEvent) {
					if e.Loss != nil {
						losses = append(losses, *e.Loss)
					}
				}
				for n := range byte(before) {
					orphan(t, k.now, 5, n)
				}
				c := r.run()
				k.mu.Lock()
				held := 0
				for from := "-"; from != ""; {
					swept, err := k.now.Sweep(t.Context(), strings.Trim(from, "-"), 100)
					if err != nil {
						t.Fatal(err)
					}
					for _, h := range swept.Held {
						held += h.Spans
					}
					from = swept.Next
				}
				k.now = k.now.Wiped()
				k.mu.Unlock()
				own := held - before
				time.Sleep(time.Second)
				read := int(c.Counters().Partitions[0].Spans + c.Counters().Partitions[1].Spans)
				if own < 20 || len(losses) != 1 || !losses[0].Empty || losses[0].Possible {
					t.Fatalf("%d spans are held, of which %d were read: losses %v", held, own, losses)
				}
				most := int(losses[0].Spans)
				if losses[0].Uncounted != (blind != nil) {
					t.Errorf("not counted: %v", losses[0].Uncounted)
				}
				if blind != nil {
					most += before
				}
				if most < held || most > before+read {
					t.Errorf("up to %d spans are said to be lost, of %d that were held", most, held)
				}
				r.stop()
				if _, err := r.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// A node that was restarted with all that it had: that is said, and the sweep makes haste, but no worker is
// replaced.
func TestStoreThatWasRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		c := r.run()
		rounds := c.Audited().Rounds
		k.mu.Lock()
		k.server = "another"
		k.mu.Unlock()
		time.Sleep(1500 * time.Millisecond)
		got := said()
		if len(got) != 1 || !strings.Contains(got[0], "was restarted, or another server") {
			t.Errorf("said %q, want that it was restarted", got)
		}
		if a := c.Audited(); a.Losses != 0 || a.Restarts != 1 || a.Rounds < rounds+3 {
			t.Errorf("%+v, want one restart and two more rounds than by themselves", a)
		}
		for _, w := range c.Workers() {
			if w.Starts != 1 {
				t.Errorf("worker %d started %d times, want once", w.Worker, w.Starts)
			}
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// Slots of a cluster are moved to a node that was there before: that is neither a loss nor a restart.
func TestStoreWhoseSlotsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		k.server, k.beside = "one", "two"
		c := r.run()
		k.mu.Lock()
		k.server = "two"
		k.mu.Unlock()
		time.Sleep(1500 * time.Millisecond)
		if a, got := c.Audited(), said(); a.Losses != 0 || a.Restarts != 0 || len(got) != 0 {
			t.Errorf("%+v, and said %q, want nothing", a, got)
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// An outage is no loss, and is in the register while it lasts.
func TestStoreThatWasAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		c := r.run()
		set := func(err error) {
			k.mu.Lock()
			k.away = err
			k.mu.Unlock()
			time.Sleep(5 * time.Second)
		}
		names := func() string {
			var names []string
			for _, register := range c.Troubles() {
				for _, trouble := range register.All() {
					names = append(names, trouble.Name)
				}
			}
			slices.Sort(names)
			return fmt.Sprint(names)
		}
		set(buffer.ErrUnavailable)
		if got := names(); got != "[beat sweep]" {
			t.Errorf("in trouble: %s, want beat and sweep", got)
		}
		set(nil)
		if got := names(); got != "[]" || len(said()) != 0 || c.Audited().Losses != 0 {
			t.Errorf("afterwards in trouble: %s, said %q", got, said())
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// What no queue names is found in the second round, and queued where it belongs; what belongs to a
// shard of another consumer is left to that one.
func TestWhatNoQueueNamesIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		orphan(t, k.now, 1, 1)
		orphan(t, k.now, 5, 2)
		c := r.run()
		got := said()
		if want := "[queued in shard 1: 1 segment that no queue named]"; fmt.Sprint(got) != want {
			t.Errorf("said %v, want %v", got, want)
		}
		if a := c.Audited(); a.Adopted != 1 || a.Traces < 4 {
			t.Errorf("%+v, want one adopted", a)
		}
		fenced, err := k.now.Fence(t.Context(), 1, buffer.AnyEpoch)
		if err != nil {
			t.Fatal(err)
		}
		after := max(r.cfg.Ingest.Options.Timeout, r.cfg.Ingest.Options.RootTimeout)
		for i, late := range []time.Duration{after - 5*time.Second, after} {
			leased, err := k.now.Lease(t.Context(), fenced.Owner, buffer.InstantOf(time.Now()).Add(late), 9)
			if err != nil || len(leased.Due) != i {
				t.Errorf("%v later %v is due (%v), want %d", late, leased.Due, err, i)
			}
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// hesitant takes its time between Attach and Enqueue.
type hesitant struct{ *memstore.Store }

func (s hesitant) Enqueue(ctx context.Context, shard buffer.Shard, update buffer.QueueUpdate) error {
	time.Sleep(3 * time.Second)
	return s.Store.Enqueue(ctx, shard, update)
}

// What is attached and about to be enqueued is nothing that no queue names.
func TestWhatIsAboutToBeEnqueuedIsNotFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, k, said := audited(t)
		r.ports.Store = store{hesitant{k.now}, r}
		c := r.run()
		time.Sleep(20 * time.Second)
		if a := c.Audited(); a.Adopted != 0 || a.Traces == 0 || a.Rounds < 3 {
			t.Errorf("%+v, want rounds that met traces and adopted none", a)
		}
		if got := said(); len(got) != 0 {
			t.Errorf("said %q", got)
		}
		r.stop()
		if _, err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

func TestFaultsOfTheAuditAreNamed(t *testing.T) {
	r, _, _ := audited(t)
	r.cfg.Audit = consumer.Audit{}
	_, err := consumer.New(r.cfg, r.ports)
	for _, want := range []string{"beat interval", "sweep interval", "sweep limit"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want it to name %q", err, want)
		}
	}
	r.ports.Auditor = nil
	if _, err := consumer.New(r.cfg, r.ports); err != nil {
		t.Errorf("without an auditor: %v", err)
	}
}
