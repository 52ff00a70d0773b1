package flusher_test

import (
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
)

func TestDrift(t *testing.T) {
	at := buffer.Seconds
	// The input lags: at wall 1000, its clock was at 400. Leases moved the clock on to 450.
	lagging := buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7}
	seen := lagging
	seen.Seen = at(9000)
	tests := []struct {
		name    string
		fenced  buffer.ShardClock
		wall    int64 // of the fence
		adopted *buffer.ShardClock
		asked   int64 // the wall at which that is adopted, and the shard's now is asked
		want    int64
	}{
		{"no input yet: the wall's time", buffer.ShardClock{}, 5000, nil, 5010, 5010},
		{"goes on where it was, however long nobody flushed", lagging, 9000, nil, 9010, 460},
		{"no news in what is known", lagging, 9000, &lagging, 9010, 460},
		{"new input tells the drift", lagging, 9000,
			&buffer.ShardClock{Now: at(460), Drift: -8000 * time.Second, Inputs: 8}, 9010, 1010},
		{"the first input", buffer.ShardClock{}, 5000,
			&buffer.ShardClock{Now: at(100), Drift: -4900 * time.Second, Inputs: 1}, 5010, 110},
		{"a batch that is not all there yet sets it back", buffer.ShardClock{}, 5000,
			&buffer.ShardClock{Now: at(100), Drift: -4900 * time.Second}, 5010, 110},
		{"and one of messages that are read again", lagging, 9000,
			&buffer.ShardClock{Now: at(100), Drift: -8900 * time.Second, Inputs: 7}, 9010, 110},
		{"who comes next knows of that", buffer.ShardClock{Now: at(100), Drift: -4900 * time.Second}, 5000, nil, 5010, 110},
		{"a store that began anew", lagging, 9000,
			&buffer.ShardClock{Now: at(9000), Drift: -time.Second, Inputs: 1}, 9010, 9009},
		{"the input is seen", seen, 9000,
			&buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(9001)}, 9002, 452},
		{"the input is not seen any more", seen, 9000,
			&buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(9001)}, 9100, 453},
		{"an outage of 100 s does not count", seen, 9000,
			&buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(9102)}, 9103, 453},
		{"new input after it tells the drift", seen, 9000,
			&buffer.ShardClock{Drift: -8900 * time.Second, Inputs: 8, Seen: at(9102)}, 9103, 203},
		{"the input was last seen by an earlier owner",
			buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(1050)},
			9000, nil, 9010, 450},
		{"and is seen again", buffer.ShardClock{
			Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(1050)},
			9000, &buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(9100)}, 9101, 451},
		{"it begins to tick", lagging, 9000,
			&buffer.ShardClock{Now: at(450), Drift: -600 * time.Second, Inputs: 7, Seen: at(9005)}, 9010, 457},
		{"a store that does not know that it ticked", seen, 9000,
			&buffer.ShardClock{Drift: -8900 * time.Second, Inputs: 8}, 9100, 200},
		{"an empty store that began anew", lagging, 9000, &buffer.ShardClock{}, 9010, 9010},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			drift := flusher.ResumeDrift(test.fenced, at(test.wall), 2*time.Second)
			if test.adopted != nil {
				drift.Adopt(*test.adopted, at(test.asked))
			}
			if got := drift.Now(at(test.asked)); got != at(test.want) {
				t.Errorf("now %d, want %d", got/1000, test.want)
			}
		})
	}
}

// A shard whose input was last seen in what is the future of this clock (it was set back, or the last
// reader was on a host whose clock is ahead) stands all the same when nothing more is heard of its input.
func TestDriftStandsThoughSeenInTheFuture(t *testing.T) {
	const unseen = 2 * time.Second
	wall := buffer.Instant(1_000_000)
	clock := buffer.ShardClock{Now: 500_000, Drift: -500 * time.Second, Inputs: 7, Seen: wall}
	seen := func(after time.Duration) buffer.ShardClock {
		c := clock
		c.Seen = wall.Add(after)
		return c
	}
	// ran is how far the clock has run since the fence, d later.
	ran := func(drift *flusher.Drift, d time.Duration) time.Duration {
		return drift.Now(wall.Add(d)).Sub(clock.Now)
	}
	t.Run("the next owner's clock is 30 s behind the last one's", func(t *testing.T) {
		drift := flusher.ResumeDrift(seen(30*time.Second), wall, unseen)
		for d := time.Duration(0); d < 20*time.Second; d += time.Second {
			drift.Adopt(seen(30*time.Second), wall.Add(d)) // no news
		}
		if got := ran(&drift, 20*time.Second); got != unseen {
			t.Errorf("the clock has run for %v while nobody heard of the input, want %v", got, unseen)
		}
		drift.Adopt(seen(20*time.Second), wall.Add(20*time.Second)) // by this clock
		if got := ran(&drift, 21*time.Second); got != unseen+time.Second {
			t.Errorf("a second after it was heard of again, the clock has run for %v, want 3s", got)
		}
	})
	t.Run("no input yet", func(t *testing.T) {
		drift := flusher.ResumeDrift(buffer.ShardClock{Seen: wall.Add(30 * time.Second)}, wall, unseen)
		if got := drift.Now(wall.Add(20 * time.Second)); got != wall.Add(unseen) {
			t.Errorf("the clock shows %v, want %v", got, wall.Add(unseen))
		}
	})
	t.Run("the reader's clock is 30 s ahead", func(t *testing.T) {
		drift := flusher.ResumeDrift(seen(30*time.Second), wall, unseen)
		for d := time.Duration(0); d <= 20*time.Second; d += time.Second {
			drift.Adopt(seen(30*time.Second+d), wall.Add(d))
		}
		if got := ran(&drift, 21*time.Second); got != 21*time.Second {
			t.Errorf("after 21 s the clock has run for %v", got)
		}
	})
	t.Run("it was set back by 3 s", func(t *testing.T) {
		drift := flusher.ResumeDrift(clock, wall, unseen)
		drift.Adopt(clock, wall.Add(-3*time.Second)) // which a tick does not set back
		if got := ran(&drift, 20*time.Second); got != unseen-3*time.Second {
			t.Errorf("the clock has run for %v, want %v", got, unseen-3*time.Second)
		}
	})
	t.Run("two readers, one 30 s behind", func(t *testing.T) {
		drift := flusher.ResumeDrift(clock, wall, unseen)
		for d := time.Second; d <= 20*time.Second; d += time.Second {
			drift.Adopt(seen(d), wall.Add(d))
			drift.Adopt(seen(d-30*time.Second), wall.Add(d))
			if got := ran(&drift, d); got != d {
				t.Fatalf("after %v the clock has run for %v", d, got)
			}
		}
	})
}

// The clock is set back by 10 min, and so is the reader's; soon after that Kafka is away.
func TestDriftStandsAfterItsClockWasSetBack(t *testing.T) {
	const unseen = 2 * time.Second
	store := newStore()
	enqueue := func(u buffer.QueueUpdate) buffer.ShardClock {
		if err := store.Enqueue(t.Context(), 0, u); err != nil {
			t.Fatal(err)
		}
		return fence(t, store, 0)[0].Clock
	}
	before := buffer.Instant(1_000_000)
	enqueue(buffer.QueueUpdate{Clock: before, Wall: before, Seen: before})
	drift := flusher.ResumeDrift(enqueue(buffer.QueueUpdate{Tick: true, Wall: before}), before, unseen)
	after := before.Add(-10 * time.Minute)
	drift.Adopt(enqueue(buffer.QueueUpdate{Clock: after, Wall: after, Seen: after.Add(-unseen)}), after)
	for d := time.Second; d <= time.Minute; d += time.Second {
		drift.Adopt(enqueue(buffer.QueueUpdate{Tick: true, Wall: after.Add(d)}), after.Add(d))
	}
	heard := after.Add(time.Minute)
	if ran := drift.Now(heard).Sub(after); ran != time.Minute {
		t.Errorf("in a minute the clock has run for %v", ran)
	}
	if ran := drift.Now(heard.Add(time.Minute)).Sub(after); ran != time.Minute+unseen {
		t.Errorf("the clock has run on for %v while nobody heard of the input, want %v", ran-time.Minute, unseen)
	}
}

// A worker that saw its wall clock set back says so.
func TestDriftGoesOnWhenTheWallClockIsSetBack(t *testing.T) {
	const unseen, by = 2 * time.Second, 10 * time.Minute
	wall := buffer.Instant(1_000_000)
	for _, c := range []struct {
		name  string
		clock buffer.ShardClock
		after time.Duration // that it was set back
		ran   time.Duration // from then on
	}{
		{"an input that does not tick", buffer.ShardClock{Now: 500_000, Drift: -500 * time.Second, Inputs: 7},
			time.Minute, time.Minute},
		{"one that was seen a second ago",
			buffer.ShardClock{Now: 500_000, Drift: -500 * time.Second, Inputs: 7, Seen: wall.Add(-time.Second)},
			time.Minute, unseen - time.Second},
		{"one of which not a whole batch came", buffer.ShardClock{Now: 500_000, Drift: -500 * time.Second},
			time.Minute, time.Minute},
		{"no input: it is the wall clock", buffer.ShardClock{Now: wall}, time.Minute, time.Minute - by},
	} {
		drift := flusher.ResumeDrift(c.clock, wall, unseen)
		drift.SetBack(by)
		now := wall.Add(c.after - by)
		drift.Adopt(c.clock, now) // no news
		if ran := drift.Now(now).Sub(c.clock.Now); ran != c.ran {
			t.Errorf("%s: the clock has run for %v in %v, want %v", c.name, ran, c.after, c.ran)
		}
	}
}
