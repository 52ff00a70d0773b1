package flusher_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sluice/flusher"
	"sluice/internal/wallclock"
)

// saidTroubles is what a register said.
type saidTroubles []string

func (s *saidTroubles) add(t flusher.Trouble) {
	*s = append(*s, fmt.Sprintf("%s %d (%d others): %v", t.Name, t.Partition, t.Others, t))
}

func (s *saidTroubles) want(t *testing.T, lines ...string) {
	t.Helper()
	if !slices.Equal(*s, lines) {
		t.Errorf("said\n\t%s\nwant\n\t%s", strings.Join(*s, "\n\t"), strings.Join(lines, "\n\t"))
	}
}

func TestTroubleIsSaidOnceAndItsEndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said saidTroubles
		r := flusher.NewTroubles(wallclock.Clock{}, said.add)
		kafka := flusher.Operation{Name: "kafka", Partition: flusher.NoPartition}
		one := flusher.Operation{Name: "input", Partition: 1}
		two := flusher.Operation{Name: "input", Partition: 2}
		r.Works(kafka)
		r.GiveUp(one)
		r.Fails(kafka, "produce", errors.New("refused"))
		time.Sleep(time.Second)
		r.Fails(two, "attach", errors.New("full"))
		r.Fails(one, "attach", errors.New("full"))
		r.Fails(one, "enqueue", errors.New("away"))
		time.Sleep(time.Second)
		var all []string
		for _, t := range r.All() {
			all = append(all,
				fmt.Sprintf("%s %d %s: %v (%d)", t.Name, t.Partition, t.Step, t.Err, t.Attempts))
		}
		want := "kafka -1 produce: refused (1); input 1 attach: away (2); input 2 attach: full (1)"
		if got := strings.Join(all, "; "); got != want {
			t.Errorf("in trouble are %s, want %s", got, want)
		}
		if err := r.Of(one); err == nil || err.Error() != "away" {
			t.Errorf("the trouble of %v is %v, want the last error", one, err)
		}
		r.Works(two)
		r.GiveUp(one)
		r.Works(kafka)
		r.Works(kafka)
		said.want(t,
			"kafka -1 (0 others): produce fails, trying until it works: refused",
			"input 2 (0 others): attach fails, trying until it works: full",
			"input 1 (1 others): attach fails, trying until it works: full",
			"input 2 (1 others): attach works again after 1s and 1 attempts",
			"input 1 (0 others): attach is given up after 1s and 2 attempts",
			"kafka -1 (0 others): produce works again after 2s and 1 attempts",
		)
		if left := r.All(); len(left) > 0 || r.Of(one) != nil {
			t.Errorf("still in trouble: %v", left)
		}
	})
}

// A listener that takes its time, and asks the register, hears everything in order: another task
// whose trouble begins and ends meanwhile neither waits for it nor overtakes it.
func TestTroublesAreSaidInOrderAndWithoutTheLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said saidTroubles
		var r *flusher.Troubles
		r = flusher.NewTroubles(wallclock.Clock{}, func(t flusher.Trouble) {
			_ = r.All()
			time.Sleep(time.Minute)
			said.add(t)
		})
		one := flusher.Operation{Name: "input", Partition: 1}
		two := flusher.Operation{Name: "input", Partition: 2}
		slow := wallclock.Tasks{}.Go("slow", func() { r.Fails(one, "attach", errors.New("full")) })
		synctest.Wait()
		began := time.Now()
		r.Fails(two, "attach", errors.New("full"))
		r.Works(one)
		r.Works(two)
		if took := time.Since(began); took > 0 {
			t.Errorf("waited %v for the listener of another task", took)
		}
		slow.Wait()
		said.want(t,
			"input 1 (0 others): attach fails, trying until it works: full",
			"input 2 (1 others): attach fails, trying until it works: full",
			"input 1 (1 others): attach works again after 0s and 1 attempts",
			"input 2 (0 others): attach works again after 0s and 1 attempts",
		)
	})
}

func TestBackoffDoubles(t *testing.T) {
	var waits []time.Duration
	for attempt := range 5 {
		waits = append(waits, flusher.Backoff(10, 65, attempt))
	}
	if want := []time.Duration{10, 20, 40, 65, 65}; !slices.Equal(waits, want) {
		t.Errorf("waits are %v, want %v", waits, want)
	}
	if wait := flusher.Backoff(10, 65, 1<<40); wait != 65 {
		t.Errorf("after many attempts the wait is %v, want 65ns", wait)
	}
}
