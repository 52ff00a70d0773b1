// Package backend tries whether a Redis and a Kafka, of whatever make, do what the pipeline asks of
// them: with its own clients, in a namespace and in topics made for it.
package backend

import (
	"context"
	"errors"
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
// tried.
func series(ctx context.Context, on string, say func(Check), steps []step) (passed bool) {
	passed = true
	for _, s := range steps {
		c := Check{On: on, Name: s.name, Verdict: NotTried}
		if passed && ctx.Err() == nil {
			found, err := s.try(ctx)
			c.Verdict, c.Detail = Passed, found
			if err != nil {
				c.Verdict, c.Detail, c.Wrong = Failed, err.Error(), errors.Is(err, errWrong)
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

// errWrong marks an error that means a wrong answer.
var errWrong = errors.New("wrong answer")

// wrong tells whether a Store's error is no answer at all, or a wrong one.
func wrong(err error) bool {
	return !slices.ContainsFunc([]error{
		buffer.ErrUnavailable, buffer.ErrFull, context.Canceled, context.DeadlineExceeded,
	}, func(none error) bool { return errors.Is(err, none) })
}
