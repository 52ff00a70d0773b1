package certainty

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"sluice/reports"
)

// step is a run that always fails from a moment on, and before that with a chance.
func step(at time.Duration, chance float64) func(context.Context, time.Duration, uint64) (bool, error) {
	return func(_ context.Context, from time.Duration, seed uint64) (bool, error) {
		return from >= at || rand.New(rand.NewPCG(seed, 0)).Float64() < chance, nil
	}
}

func config(run func(context.Context, time.Duration, uint64) (bool, error)) Config {
	return Config{Run: run, Seed: 1, To: 16 * time.Second, Runs: 100, Moments: 16, Parallel: 2}
}

// TestFindsTheJump to the resolution, though it looks at few moments, and the same again.
func TestFindsTheJump(t *testing.T) {
	const at = 7*time.Second + 123*time.Millisecond
	c := config(step(at, 0.3))
	got, err := Find(t.Context(), c)
	if err != nil || !got.Done || len(got.Points) > c.Moments {
		t.Fatalf("%v, %+v", err, got)
	}
	before, after, sure := got.Jump()
	if !sure || moment(before) >= at || moment(after) < at || after.T-before.T > 2*Resolution.Seconds() {
		t.Errorf("the jump is from %+v to %+v", before, after)
	}
	if before.Runs != c.Runs || after.Runs != c.Runs/4 {
		t.Errorf("%d runs where they differ and %d where they agree", before.Runs, after.Runs)
	}
	c.Parallel = 1
	if again, _ := Find(t.Context(), c); !reflect.DeepEqual(got, again) {
		t.Errorf("another curve: %+v, and before %+v", again, got)
	}
	c.Seed = 2
	if other, _ := Find(t.Context(), c); reflect.DeepEqual(got, other) {
		t.Error("another seed draws the same")
	}
}

// TestFlatIsCheap: what is certain everywhere is not halved.
func TestFlatIsCheap(t *testing.T) {
	got, err := Find(t.Context(), config(step(0, 0)))
	if err != nil || !got.Done || len(got.Points) != MomentsMin {
		t.Errorf("%v, %+v", err, got)
	}
}

// TestEndKeepsWhatWasFound: only moments that are whole.
func TestEndKeepsWhatWasFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var runs atomic.Int32
	c := config(func(context.Context, time.Duration, uint64) (bool, error) {
		if runs.Add(1) == 60 { // within the third moment
			cancel()
		}
		return true, nil
	})
	got, err := Find(ctx, c)
	if err != nil || got.Done || len(got.Points) != 2 || got.Points[1].Runs != 25 {
		t.Errorf("%v, %+v", err, got)
	}
	broken := errors.New("broken")
	c.Run = func(context.Context, time.Duration, uint64) (bool, error) { return false, broken }
	if _, err := Find(t.Context(), c); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	runs.Store(0)
	c.Run = func(context.Context, time.Duration, uint64) (bool, error) {
		if runs.Add(1) == 60 {
			return false, broken
		}
		return true, nil
	}
	if got, err := Find(t.Context(), c); !errors.Is(err, broken) || got.Done || len(got.Points) != 2 {
		t.Errorf("beside %v was found %+v", err, got)
	}
}

func TestConfigNamesItsFaults(t *testing.T) {
	if _, err := Find(t.Context(), Config{}); err == nil || len(err.Error()) < 100 {
		t.Errorf("%v", err)
	}
}

// TestProgressHearsOfEachMoment.
func TestProgressHearsOfEachMoment(t *testing.T) {
	c := config(step(0, 0))
	points := 0
	c.Progress = func(_ int, p *reports.CertaintyPoint) {
		if p != nil {
			points++
		}
	}
	if _, err := Find(t.Context(), c); err != nil || points != MomentsMin {
		t.Errorf("%v, %d moments", err, points)
	}
}
