package flusher_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
)

// countSteps is how often the worker has made a step.
func (b *bench) countSteps(step string) (n int) {
	for _, s := range b.faulty.steps() {
		if s == step {
			n++
		}
	}
	return n
}

// A worker that knows how far apart deadlines are asks a shard no more often than something can have
// become due, or something may have happened to its clock; and what is due waits no longer for it.
func TestWorkerRestsUntilTheNextDeadline(t *testing.T) {
	for _, c := range []struct {
		name            string
		every           time.Duration
		least, greatest int // looks in ten seconds
	}{
		{"not known", 0, 99, 101},
		{"whole seconds", time.Second, 30, 51},
		{"tenths", 100 * time.Millisecond, 99, 101},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.cfg.DueEvery, b.cfg.RestMax, b.feed.whole = c.every, 600*time.Millisecond, true
				b.start(fence(t, b.store, 0)...)
				for n := range 100 {
					time.Sleep(100 * time.Millisecond)
					b.feed.put(t, 0, 10*n)
				}
				if looks := b.countSteps("lease"); looks < c.least || looks > c.greatest {
					t.Errorf("%d looks, want %d to %d", looks, c.least, c.greatest)
				}
				eventually(t, 5*time.Second, "store is empty", b.empty)
				if late := slices.Max(b.inbox.drain()); late > 2*b.cfg.IdleSleep {
					t.Errorf("a segment waited for %v", late)
				}
				before := b.countSteps("lease")
				time.Sleep(10 * time.Second)
				if looks := b.countSteps("lease") - before; c.every == time.Second && looks > 25 {
					t.Errorf("%d looks in 10 s without input, want two in a second", looks)
				}
				if err := b.join(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// It rests where all that was due was taken and nothing else can have become due: not after a look whose
// answer was lost, not while it took all that it may, and not after it gave something back.
func TestWorkerDoesNotRestWhatMayBeDue(t *testing.T) {
	for name, c := range map[string]struct {
		begin func(t *testing.T, b *bench)
		end   func(t *testing.T, b *bench)
	}{
		"an answer was lost": {
			func(t *testing.T, b *bench) {
				b.cfg.RestMax = 3 * b.cfg.IdleSleep
				looks, lost := 0, time.Time{}
				b.faulty.set(func(step string, after bool) error {
					switch {
					case step == "fence" && after && !lost.IsZero():
						if took := time.Since(lost); took > 2*b.cfg.IdleSleep {
							t.Errorf("fenced %v after an answer was lost", took)
						}
					case step == "lease" && after:
						if looks++; looks == 2 {
							lost = time.Now()
							return buffer.ErrUnavailable
						}
					}
					return nil
				})
			},
			func(t *testing.T, b *bench) {
				if got := b.countSteps("fence"); got != 1 {
					t.Errorf("%d fences, want one for the look whose answer was lost", got)
				}
			},
		},
		"there was more": {
			func(t *testing.T, b *bench) {
				b.cfg.MaxFlushSegments = 1
				for n := range 30 {
					b.feed.put(t, 0, 10*n)
				}
			},
			func(t *testing.T, b *bench) {
				if late := slices.Max(b.inbox.drain()); !b.empty() || late > 2*b.cfg.IdleSleep {
					t.Errorf("all that is due is flushed: %v, after %v", b.empty(), late)
				}
			},
		},
		"it is in flight elsewhere": {
			func(t *testing.T, b *bench) {
				b.feed.put(t, 5, 10)
				other := fence(t, b.store, 5)[0].Owner
				busy := []buffer.Generation{leftovers(t, b.store).Shards[0].Queued[0].Generation}
				if _, err := b.store.Claim(t.Context(), other, busy); err != nil {
					t.Fatal(err)
				}
				now := buffer.InstantOf(time.Now())
				if err := b.store.Enqueue(t.Context(), 0, buffer.QueueUpdate{
					Clock: now, Wall: now, Due: []buffer.Due{{Generation: busy[0], Deadline: now}},
				}); err != nil {
					t.Fatal(err)
				}
			},
			func(t *testing.T, b *bench) {
				if got := b.countSteps("claim"); got < 20 {
					t.Errorf("claimed %d times in %v, want once per idle sleep", got, 2*time.Second)
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.cfg.DueEvery, b.cfg.RestMax = time.Second, 10*time.Second
				c.begin(t, b)
				owners := fence(t, b.store, 0)
				b.start(owners...)
				time.Sleep(2 * time.Second) // what is there is due
				time.Sleep(9 * b.cfg.IdleSleep)
				c.end(t, b)
				b.kill()
				<-b.ended
			})
		})
	}
}

// While it rests there may be news of a shard's clock, for which it asks now and then.
func TestWorkerHearsOfTheClockWhileItRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.cfg.DueEvery, b.cfg.RestMax = time.Hour, 300*time.Millisecond
		b.start(fence(t, b.store, 0)...)
		time.Sleep(10 * time.Second)
		if looks := b.countSteps("lease"); looks < 32 || looks > 35 {
			t.Errorf("%d looks in 10 s, want one in %v", looks, b.cfg.RestMax)
		}
		b.kill()
		<-b.ended
	})
}
