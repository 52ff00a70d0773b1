// Package backend tries whether a Redis and a Kafka, of whatever make, do what the pipeline asks of
// them: with its own clients, in a namespace and in topics made for it.
package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"sluice/buffer"
)

// Verdict is how a check went.
type Verdict string

// The verdicts.
const (
	Passed   Verdict = "passed"
	Failed   Verdict = "failed"
	NotTried Verdict = "not tried"
)

// Check is one thing that was tried.
type Check struct {
	// On is what it was tried on.
	On      string  `json:"on"`
	Name    string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	// Detail says what was found, or what went wrong.
	Detail string `json:"detail"`
	// Wrong is true if the server answered, and not what it must: spans would get lost. Otherwise a
	// check that failed found that the server cannot be used like this.
	Wrong bool `json:"wrong,omitempty"`
}

// step is a check before it is made. Its result is what was found.
type step struct {
	name string
	try  func(context.Context) (found string, err error)
}

// series makes checks of which each needs those before it: after one that failed, the others are not
// tried. Reach tells whether the server is there, which is the first check itself: it is asked beside
// the others, and once more after one of them failed.
func series(
	ctx context.Context, on string, reach func(context.Context) error, say func(Check), steps []step,
) (passed bool) {
	passed = true
	for i, s := range steps {
		c := Check{On: on, Name: s.name, Verdict: NotTried}
		if passed && ctx.Err() == nil {
			var found string
			var err, gone error
			if i == 0 {
				found, err = s.try(ctx)
			} else {
				found, err, gone = s.beside(ctx, reach)
			}
			c.Verdict, c.Detail = Passed, found
			if err != nil {
				c.Verdict, c.Detail, c.Wrong = Failed, err.Error(), errors.Is(err, errWrong)
			}
			if gone != nil {
				c.Detail = fmt.Sprintf("the server stopped answering: %v; the check saw: %v", gone, err)
			}
			if err != nil && ctx.Err() != nil {
				c.Verdict, c.Detail = NotTried, "interrupted"
			}
		}
		passed = passed && c.Verdict == Passed
		say(c)
	}
	return passed
}

// beside makes a check, and ends it once the server is gone. Gone is why it is, if the check failed and
// its failure may come from that.
func (s step) beside(
	ctx context.Context, reach func(context.Context) error,
) (found string, err, gone error) {
	trying, end := context.WithCancel(ctx)
	watched := make(chan error, 1)
	go func() {
		defer end()
		watched <- watch(trying, reach)
	}()
	found, err = s.try(trying)
	end()
	gone = <-watched
	switch {
	case err == nil, errors.Is(err, errWrong):
		return found, err, nil
	case gone == nil:
		gone = reach(ctx)
	}
	return found, err, gone
}

// errWrong marks an error that means a wrong answer.
var errWrong = errors.New("wrong answer")

// wrong tells whether a Store's error is no answer at all, or a wrong one.
func wrong(err error) bool {
	return !slices.ContainsFunc([]error{
		buffer.ErrUnavailable, buffer.ErrFull, context.Canceled, context.DeadlineExceeded,
	}, func(none error) bool { return errors.Is(err, none) })
}
