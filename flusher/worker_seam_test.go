package flusher_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

// The tests of this file are about what a worker hands to its neighbours: the supervisor that reads
// its reports, the store, the producer.

func TestWorkerReportsHowLateItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.delay = 3 * time.Second
		b.feed.put(t, 0, 10)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 6*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		fresh := b.inbox.drain()
		if len(fresh) != 1 || fresh[0] < b.broker.delay || fresh[0] > b.broker.delay+2*b.cfg.IdleSleep {
			t.Errorf("freshness %v, want the %v that the broker takes", fresh, b.broker.delay)
		}
	})
}

// A worker that is told to stop while it hands over the first of its segments finishes all that it
// has claimed, also where a part of that turns out to be gone.
func TestWorkerFinishesWhatItClaimed(t *testing.T) {
	for _, gone := range []bool{false, true} {
		t.Run(fmt.Sprintf("gone=%v", gone), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.cfg.MaxFlushBytes = 1 // one segment at a time
				owners := fence(t, b.store, 0)
				b.feed.put(t, 0, 10)
				b.feed.put(t, 0, 20)
				b.feed.put(t, 0, 30)
				loads := 0
				b.faulty.set(func(step string, after bool) error {
					if step != "load" || after {
						return nil
					}
					if loads++; loads == 1 {
						b.stop()
						if gone {
							b.lose(owners[0].Owner, 10)
						}
					}
					return nil
				})
				time.Sleep(time.Second)
				b.start(owners...)
				<-b.ended
				if left := leftovers(t, b.store); b.err != nil || !left.Empty() {
					t.Errorf("ended with %v, leaving %v", b.err, left)
				}
			})
		})
	}
}

// lose takes the segment of a span out of the store, as if it had lost it.
func (b *bench) lose(owner buffer.Owner, n int) {
	b.t.Helper()
	for _, shard := range leftovers(b.t, b.store).Shards {
		for _, due := range shard.Leased {
			if due.TraceKey != traceOf(n) {
				continue
			}
			flushed := buffer.Flushed{Generation: due.Generation, Spans: []buffer.SpanID{spanID(n)}}
			results, err := b.store.Ack(b.t.Context(), owner, []buffer.Flushed{flushed})
			if err != nil || results[0] != buffer.AckDone {
				b.t.Fatal(results, err)
			}
		}
	}
}

// since is what the worker reports of its backpressure.
func (b *bench) since() time.Time {
	status, _ := b.inbox.last()
	return status.BackpressureSince
}

// backlog makes a shard lag: more is due than the worker gets out in a while.
func (b *bench) backlog(shard buffer.Shard) {
	for n := range 60 {
		b.feed.put(b.t, shard, 1000*int(shard)+10*n)
	}
}

// lagging returns a bench of two shards whose worker flushes one segment of each in a second.
func lagging(t *testing.T) *bench {
	b := newBench(t)
	b.cfg.MaxFlushSegments = 2
	b.broker.delay = time.Second
	return b
}

func TestWorkerReportsTheLongestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := lagging(t)
		b.backlog(0)
		b.start(fence(t, b.store, 0, 1)...)
		eventually(t, 3*time.Second, "backpressure", func() bool { return !b.since().IsZero() })
		first := b.since()
		b.backlog(1)
		time.Sleep(10 * time.Second)
		if got := b.since(); got != first {
			t.Errorf("backpressure since %v, want that of the first shard, %v", got, first)
		}
	})
}

// Else the input of its other shards would pause for ever.
func TestWorkerForgetsTheBackpressureOfALostShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := lagging(t)
		b.backlog(0)
		b.start(fence(t, b.store, 0, 1)...)
		eventually(t, 3*time.Second, "backpressure", func() bool { return !b.since().IsZero() })
		fence(t, b.store, 0)
		time.Sleep(5 * time.Second)
		if status, _ := b.inbox.last(); !slices.Equal(status.Lost, []buffer.Shard{0}) ||
			!status.BackpressureSince.IsZero() {
			t.Errorf("status %+v, want shard 0 lost and no backpressure", status)
		}
	})
}

// A producer that blocks is slow, and so is the worker; but it lives.
func TestWorkerIsAliveWhileItProduces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.broker.refuse = func(flusher.Record) error {
			time.Sleep(3 * time.Second)
			return nil
		}
		owners := fence(t, b.store, 0)
		for n := range 10 {
			b.feed.put(t, 0, 10*n)
		}
		time.Sleep(time.Second)
		b.start(owners...)
		eventually(t, time.Minute, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if b.inbox.silence > 4*time.Second {
			t.Errorf("silent for %v, want a sign of life with each segment", b.inbox.silence)
		}
	})
}

func TestWorkerReportsEveryAcknowledgedRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.encoder.limit = 1
		b.feed.put(t, 0, 10, 11, 12, 13)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 3*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		for n := range uint64(4) {
			if !b.inbox.records[n+1] {
				t.Errorf("no report of %d records, want one after each", n+1)
			}
		}
	})
}

// What the store does not have any more is not held for ever: another owner would be handed it.
func TestWorkerReleasesWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		owners := fence(t, b.store, 0)
		b.feed.put(t, 0, 10)
		time.Sleep(time.Second)
		b.faulty.set(func(step string, after bool) error {
			if step == "claim" && after {
				b.lose(owners[0].Owner, 10)
			}
			return nil
		})
		b.start(owners...)
		time.Sleep(time.Second)
		if left := leftovers(t, b.store); !left.Empty() || len(b.broker.all()) > 0 {
			t.Errorf("%v is left, produced %v, want nothing", left, b.broker.all())
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}

// A part of a record that was too large is tried again; the record and the other part are not.
func TestWorkerSplitsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		tries := make(map[string]int)
		b.broker.refuse = func(r flusher.Record) error {
			part := header(r, flusher.HeaderChunkPart)
			tries[part]++
			switch {
			case part == "":
				return flusher.ErrRecordTooLarge
			case part == "0.1" && tries[part] == 1:
				return errors.New("connection reset")
			}
			return nil
		}
		b.feed.put(t, 0, 10, 11, 12, 13)
		b.start(fence(t, b.store, 0)...)
		eventually(t, 5*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(tries), "map[:1 0.0:1 0.1:2]"; got != want {
			t.Errorf("produced %s, want %s", got, want)
		}
	})
}

// A span that no topic takes, not even the dead-letter topic without its bytes, waits until that topic takes
// more: it is not lost, and the worker says what it waits for all the while.
func TestWorkerWaitsForATopicThatTakesNotEvenABareLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var raised atomic.Bool
		b.broker.refuse = func(r flusher.Record) error {
			if header(r, flusher.HeaderSpan) != "" && len(r.Value) == 0 && raised.Load() {
				return nil
			}
			if r.Topic == b.cfg.DeadLetterTopic || strings.Contains(string(r.Value), " "+spanID(11).String()) {
				return fmt.Errorf("produce: %w", flusher.ErrRecordTooLarge)
			}
			return nil
		}
		b.feed.put(t, 0, 10, 11, 12)
		b.start(fence(t, b.store, 0)...)
		time.Sleep(2 * time.Second)
		for range 100 { // for 10 s
			time.Sleep(100 * time.Millisecond)
			status, _ := b.inbox.last()
			if len(status.Troubles) != 1 || status.Troubles[0].Step != flusher.StageProduce.String() ||
				!strings.Contains(status.Troubles[0].Error, flusher.ErrRecordTooLarge.Error()) {
				t.Fatalf("in trouble %+v, want a record that is too large", status.Troubles)
			}
		}
		if status, _ := b.inbox.last(); b.empty() || status.Retries[flusher.StageProduce] < 5 {
			t.Errorf("the store is empty: %v; counters %+v", b.empty(), status)
		}
		raised.Store(true)
		eventually(t, 5*time.Second, "store is empty", b.empty)
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
		status, _ := b.inbox.last()
		if status.DeadLetters != 1 || status.Spans != 3 || len(status.Troubles) != 0 {
			t.Errorf("status %+v, want 1 dead letter, 3 spans, no trouble", status)
		}
	})
}

// A shard is taken while its record is on its way, to a broker that never takes it: at the first try or
// a later one. That is the successor's to repeat; the worker's other shards do not wait for it.
func TestWorkerDoesNotWaitForALostShard(t *testing.T) {
	t.Run("at the first try", func(t *testing.T) { loseAtTry(t, 1) })
	t.Run("at the third", func(t *testing.T) { loseAtTry(t, 3) })
}

func loseAtTry(t *testing.T, taken int) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.feed.put(t, 0, 10)
		b.feed.put(t, 1, 20)
		owners := fence(t, b.store, 0, 1)
		tries := 0
		b.broker.refuse = func(r flusher.Record) error {
			if header(r, flusher.HeaderTrace) != traceOf(20).Trace.String() {
				return nil
			}
			if tries++; tries == taken {
				fence(t, b.store, 1)
			}
			return errors.New("connection reset")
		}
		time.Sleep(time.Second)
		b.start(owners...)
		time.Sleep(5 * time.Second)
		if status, _ := b.inbox.last(); status.Segments != 1 || tries != taken {
			t.Fatalf("%d segments flushed, the lost one tried %d times, want 1 and %d",
				status.Segments, tries, taken)
		}
		if err := b.join(); err != nil {
			t.Fatal(err)
		}
	})
}
