package flusher_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// Nothing that a transient error of any step leaves behind may be forgotten, whether the step had
// its effect or not.
func TestWorkerSurvivesTransientErrors(t *testing.T) {
	for _, step := range []string{"lease", "claim", "load", "ack", "release"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/after=%v", step, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t)
					b.feed.put(t, 0, 10)
					b.feed.put(t, 1, 20)
					owners := fence(t, b.store, 0, 1)
					time.Sleep(time.Second)
					b.faulty.set(once(step, after, buffer.ErrUnavailable))
					b.start(owners...)
					eventually(t, 5*time.Second, "store is empty", b.empty)
					if err := b.join(); err != nil {
						t.Fatal(err)
					}
					if n := len(b.broker.all()); n != 2 {
						t.Errorf("%d records, want 2", n)
					}
					if len(b.troubles) != 2 || b.troubles[0].Over || !b.troubles[1].Over {
						t.Errorf("told of %v, want trouble once and its end once", b.troubles)
					}
				})
			})
		}
	}
}

// A Lease and then the Fence that is to mend it lose their answers.
func TestWorkerSurvivesALostFence(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.feed.put(t, 0, 10)
				owners := fence(t, b.store, 0)
				time.Sleep(time.Second)
				lease := once("lease", true, buffer.ErrUnavailable)
				fence := once("fence", after, buffer.ErrUnavailable)
				b.faulty.set(func(step string, after bool) error {
					return errors.Join(lease(step, after), fence(step, after))
				})
				b.start(owners...)
				eventually(t, 5*time.Second, "store is empty", b.empty)
				if err := b.join(); err != nil {
					t.Fatal(err)
				}
				if status, _ := b.inbox.last(); len(status.Lost) != 0 {
					t.Errorf("lost shards %v to itself", status.Lost)
				}
			})
		})
	}
}

// A worker that lost the answer of a Lease and was superseded meanwhile must never fence its
// successor, also if the answer of its own Fence is lost.
func TestWorkerNeverFencesItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.put(t, 0, 10)
		owners := fence(t, b.store, 0)
		time.Sleep(time.Second)
		var successor buffer.Owner
		fences := 0
		b.faulty.set(func(step string, after bool) error {
			switch {
			case step == "lease" && after && successor.Epoch == 0:
				successor = fence(t, b.store, 0)[0].Owner
				return buffer.ErrUnavailable
			case step == "fence" && !after:
				if fences++; fences < 3 {
					return buffer.ErrUnavailable
				}
			}
			return nil
		})
		b.start(owners...)
		<-b.ended
		if !errors.Is(b.err, flusher.ErrFenced) || !errors.Is(b.err, buffer.ErrStale) {
			t.Errorf("ended with %v, want ErrFenced", b.err)
		}
		now := buffer.InstantOf(time.Now())
		leased, err := b.store.Lease(t.Context(), successor, now, 10)
		if err != nil || len(leased.Due) != 1 {
			t.Errorf("the successor's lease: %v, %v, want what was leased before", leased.Due, err)
		}
	})
}

func TestWorkerGoesOnWithoutALostShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.put(t, 0, 10)
		b.feed.put(t, 1, 20)
		owners := fence(t, b.store, 0, 1)
		fence(t, b.store, 1)
		b.start(owners...)
		flushed := func() bool { return len(b.broker.all()) == 1 }
		eventually(t, 3*time.Second, "shard 0 is flushed", flushed)
		status, _ := b.inbox.last()
		if !slices.Equal(status.Lost, []buffer.Shard{1}) {
			t.Errorf("lost %v, want shard 1", status.Lost)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

// A worker whose ack is refused has nothing to release, and repeats nothing.
func TestWorkerLeavesTheStoreAloneWhenSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.delay = 5 * time.Second
		b.feed.put(t, 0, 10)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 2*time.Second, "produced", func() bool { return len(b.broker.all()) == 1 })
		successor := fence(t, b.store, 0)[0].Owner
		now := buffer.InstantOf(time.Now())
		leased, err := b.store.Lease(t.Context(), successor, now, 10)
		if err != nil || len(leased.Due) != 1 {
			t.Fatal(leased, err)
		}
		g := []buffer.Generation{leased.Due[0].Generation}
		if claims, err := b.store.Claim(t.Context(), successor, g); err != nil ||
			claims[0].State != buffer.ClaimOwned {
			t.Fatal(claims, err)
		}
		<-b.ended
		if !errors.Is(b.err, flusher.ErrFenced) {
			t.Errorf("ended with %v, want ErrFenced", b.err)
		}
		loaded, err := b.store.Load(t.Context(), successor, g)
		if err != nil || !loaded[0].Owned || len(loaded[0].Spans) != 1 {
			t.Errorf("the successor loads %+v, %v: want the span", loaded, err)
		}
	})
}

func TestWorkerIsAliveDuringOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.put(t, 0, 10, 11)
		b.start(fence(t, b.store, 0)...)
		b.broker.stop(3 * time.Minute)
		reports := func(words string) bool {
			status, _ := b.inbox.last()
			return len(status.Troubles) == 1 && status.Troubles[0].Step == "produce" &&
				strings.Contains(status.Troubles[0].Error, words)
		}
		eventually(t, 5*time.Second, "it reports that Kafka is silent", func() bool {
			return reports("acknowledges nothing")
		})
		eventually(t, 4*time.Minute, "store is empty", b.empty)
		eventually(t, time.Second, "it reports no more trouble", func() bool {
			status, _ := b.inbox.last()
			return status.Stage == flusher.StageIdle && status.Troubles == nil
		})
		if status, _ := b.inbox.last(); status.Retries != (flusher.Retries{}) {
			t.Errorf("retries %v, but a wait is none", status.Retries)
		}

		down := time.Now().Add(3 * time.Minute)
		b.faulty.set(func(string, bool) error {
			if time.Now().Before(down) {
				return buffer.ErrUnavailable
			}
			return nil
		})
		b.feed.put(t, 0, 20)
		eventually(t, 4*time.Minute, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if b.inbox.silence > 10*time.Second {
			t.Errorf("no sign of life for %v during an outage", b.inbox.silence)
		}
		if len(b.troubles) != 4 {
			t.Errorf("told of %v, want Kafka's trouble and the store's, each with its end", b.troubles)
		}
		status, _ := b.inbox.last()
		lease := status.Retries[flusher.StageLease]
		status.Retries[flusher.StageLease] = 0
		if lease == 0 || status.Retries != (flusher.Retries{}) {
			t.Errorf("%d retries of a lease and %v, want some of a lease alone", lease, status.Retries)
		}
		if n := len(b.broker.all()); n != 2 {
			t.Errorf("%d records, want 2: a slow broker is no reason to repeat one", n)
		}
	})
}

func TestWorkerRepeatsRecordsOfUnknownFate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		left := 3
		b.broker.lose = func(flusher.Record) error {
			if left--; left >= 0 {
				return errors.New("connection reset")
			}
			return nil
		}
		b.feed.put(t, 0, 10, 11)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 5*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		records := b.broker.all()
		if len(records) != 4 {
			t.Fatalf("%d records, want the first and three repeats", len(records))
		}
		if len(b.troubles) != 2 || !b.troubles[1].Over || b.troubles[1].Attempts != 3 {
			t.Errorf("told of %v, want Kafka's trouble once and its end once", b.troubles)
		}
		for _, r := range records {
			if string(r.Value) != string(records[0].Value) {
				t.Errorf("repeat %q differs from %q", r.Value, records[0].Value)
			}
		}
	})
}

func TestWorkerEndsOnAFatalError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		broken := errors.New("wrong type")
		b.faulty.set(once("claim", false, broken))
		b.feed.put(t, 0, 10)
		b.start(fence(t, b.store, 0)...)
		<-b.ended
		if !errors.Is(b.err, broken) || !strings.Contains(b.err.Error(), "claim on shard 0") {
			t.Errorf("ended with %v", b.err)
		}
	})
}
