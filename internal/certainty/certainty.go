// Package certainty finds when a failure became certain: from a number of moments of a run on it draws
// chance anew again and again, and counts how often the run still fails. Where the share jumps, there
// the bug happened. It knows no world: a continuation is a function, which must give the same answer
// for the same moment and seed.
//
// Moments are evenly spaced at first; then the interval across which the share changes most is halved,
// as long as that tells anything.
package certainty

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"sluice/internal/check"
	"sluice/reports"
	"sluice/scenarios"
)

// Config says what is asked, and how much.
type Config struct {
	// Run continues the run from a moment with a seed, and tells whether it fails.
	Run func(ctx context.Context, at time.Duration, seed uint64) (fails bool, err error)
	// Seed is what the continuations' seeds are drawn from.
	Seed uint64
	// From and To bound the moments.
	From, To time.Duration
	// Runs is how many continuations a moment has: a quarter of that if those all agree.
	Runs int
	// Moments is how many there are at most.
	Moments int
	// Parallel is how many run at once.
	Parallel int
	// Progress hears of each moment that is done, and of each run that is, of so many. Optional.
	Progress func(runs int, point *reports.CertaintyPoint)
}

// The least of what a curve is made of, and where halving ends.
const (
	RunsMin    = 4
	MomentsMin = 5
	// Resolution is how close moments get: the harness looks at what is due every 10 ms.
	Resolution = 10 * time.Millisecond
	// changeMin is the least change of the share across an interval that is worth halving it.
	changeMin = 0.1
)

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(c.Runs < RunsMin, "%d runs from each moment: want %d or more", c.Runs, RunsMin)
	f.When(c.Moments < MomentsMin, "%d moments: want %d or more", c.Moments, MomentsMin)
	f.When(c.Parallel < 1, "%d runs at once: want 1 or more", c.Parallel)
	f.When(c.From >= c.To, "from %v to %v there is no moment", c.From, c.To)
	return f.Err()
}

// Find returns the curve. What it has found when ctx is done is kept; only whole moments are in it. An
// error of a continuation ends it, and is returned beside what was found.
func Find(ctx context.Context, c Config) (reports.Certainty, error) {
	s := &search{Config: c}
	if err := c.Validate(); err != nil {
		return s.found, err
	}
	for i := range MomentsMin {
		at := c.From + (c.To-c.From)*time.Duration(i)/(MomentsMin-1)
		if err := s.point(ctx, at.Round(time.Millisecond)); err != nil {
			return s.found, ended(ctx, err)
		}
	}
	for len(s.found.Points) < c.Moments {
		at, worth := s.middle()
		if !worth {
			break
		}
		if err := s.point(ctx, at); err != nil {
			return s.found, ended(ctx, err)
		}
	}
	s.found.Done = true
	return s.found, nil
}

// ended is nil if it was the context that ended the search.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

type search struct {
	Config
	found reports.Certainty
	runs  int
	mu    sync.Mutex
}

// middle returns the middle of the interval across which the share changes most.
func (s *search) middle() (at time.Duration, worth bool) {
	most := changeMin
	for i := 1; i < len(s.found.Points); i++ {
		a, b := s.found.Points[i-1], s.found.Points[i]
		from, to := moment(a), moment(b)
		if change := math.Abs(a.Share() - b.Share()); change >= most && to-from >= 2*Resolution {
			most, at, worth = change+1e-9, (from+to)/2, true
		}
	}
	return at.Round(time.Millisecond), worth
}

func moment(p reports.CertaintyPoint) time.Duration {
	return time.Duration(math.Round(p.T * float64(time.Second)))
}

// point adds the share from a moment on.
func (s *search) point(ctx context.Context, at time.Duration) error {
	p := reports.CertaintyPoint{T: at.Seconds()}
	random := scenarios.Stream(s.Seed, fmt.Sprintf("certainty from %v", at))
	for _, runs := range []int{s.Runs / 4, s.Runs - s.Runs/4} {
		if p.Runs > 0 && (p.Fails == 0 || p.Fails == p.Runs) {
			break // they all agree
		}
		seeds := make([]uint64, runs)
		for i := range seeds {
			seeds[i] = random.Uint64()
		}
		fails, err := s.continuations(ctx, at, seeds)
		if err != nil {
			return err
		}
		p.Runs, p.Fails = p.Runs+runs, p.Fails+fails
	}
	i, _ := slices.BinarySearchFunc(s.found.Points, p, func(a, b reports.CertaintyPoint) int {
		return int(moment(a) - moment(b))
	})
	s.found.Points = slices.Insert(s.found.Points, i, p)
	if s.Progress != nil {
		s.Progress(s.runs, &p)
	}
	return nil
}

// continuations counts those that fail.
func (s *search) continuations(
	ctx context.Context, at time.Duration, seeds []uint64,
) (fails int, err error) {
	jobs := make(chan uint64)
	var errs []error
	var workers sync.WaitGroup
	for range min(s.Parallel, len(seeds)) {
		workers.Go(func() {
			for seed := range jobs {
				failed, err := s.Run(ctx, at, seed)
				s.mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else if failed {
					fails++
				}
				s.runs++
				if s.Progress != nil {
					s.Progress(s.runs, nil)
				}
				s.mu.Unlock()
			}
		})
	}
	for _, seed := range seeds {
		if ctx.Err() != nil {
			break
		}
		jobs <- seed
	}
	close(jobs)
	workers.Wait()
	return fails, errors.Join(append(errs, ctx.Err())...)
}
