package backend

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sluice/buffer"
)

func there(context.Context) error { return nil }

func TestASeriesEndsWithItsFirstFailure(t *testing.T) {
	works := step{"works", func(context.Context) (string, error) { return "found", nil }}
	lies := step{"lies", func(context.Context) (string, error) { return "", fmt.Errorf("%w: 5", errWrong) }}
	for _, c := range []struct {
		steps  []step
		passed bool
		want   string
	}{
		{[]step{works, works}, true, "passed found false|passed found false|"},
		{[]step{works, lies, works}, false, "passed found false|failed wrong answer: 5 true|not tried  false|"},
	} {
		said := ""
		passed := series(t.Context(), "redis", there, func(c Check) {
			said += fmt.Sprintf("%s %s %v|", c.Verdict, c.Detail, c.Wrong)
		}, c.steps)
		if passed != c.passed || said != c.want {
			t.Errorf("%v, %s; want %v, %s", passed, said, c.passed, c.want)
		}
	}
}

func TestWhoIsInterruptedFoundNothing(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var checks []Check
	series(ctx, "kafka", there, func(c Check) { checks = append(checks, c) }, []step{
		{"ends", func(ctx context.Context) (string, error) {
			interrupt()
			return "", ctx.Err()
		}},
		{"next", func(context.Context) (string, error) { return "", nil }},
	})
	for _, c := range checks {
		if c.Verdict != NotTried {
			t.Errorf("%s: %s, want %s", c.Name, c.Verdict, NotTried)
		}
	}
}

// A server that is silent is said to be, whatever step it was that met it; one that gave a wrong answer
// is not asked.
func TestWhoIsSilentIsNamed(t *testing.T) {
	gone := func(context.Context) error { return errors.New("redis a:1: no answer") }
	fine := step{"fine", func(context.Context) (string, error) { return "", nil }}
	for err, want := range map[error]string{
		errors.New("i/o timeout"):           "the server stopped answering: redis a:1: no answer; the check saw: i/o timeout",
		fmt.Errorf("%w: 5", errWrong):       "wrong answer: 5",
		fmt.Errorf("first: %w", errNoLogin): "first: no login",
	} {
		steps := []step{fine, {"fails", func(context.Context) (string, error) { return "", err }}}
		if errors.Is(err, errNoLogin) { // of the first step, which is whether the server is there
			steps = steps[1:]
		}
		detail := ""
		series(t.Context(), "redis", gone, func(c Check) { detail += c.Detail }, steps)
		if detail != want {
			t.Errorf("%v: %q, want %q", err, detail, want)
		}
	}
}

var errNoLogin = errors.New("no login")

// A check that would wait for ever is ended when the server is silent.
func TestASilentServerEndsACheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := func(context.Context) error { return errors.New("redis a:1: no answer") }
		began := time.Now()
		_, err, why := step{"hangs", func(ctx context.Context) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}}.beside(t.Context(), gone)
		if took := time.Since(began); err == nil || why == nil || took < answerMax || took > 2*answerMax {
			t.Errorf("%v, %v after %v", err, why, took)
		}
	})
}

// One that answers now and then is not silent.
func TestASlowServerIsNoSilentOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		_, err, gone := step{"takes long", func(context.Context) (string, error) {
			time.Sleep(10 * answerMax)
			return "", nil
		}}.beside(t.Context(), func(context.Context) error {
			if asked++; asked%8 == 0 {
				return nil
			}
			return errors.New("no answer")
		})
		if err != nil || gone != nil || asked < 50 {
			t.Errorf("%v, %v, asked %d times", err, gone, asked)
		}
	})
}

func TestOnlyAnAnswerIsWrong(t *testing.T) {
	for err, want := range map[error]bool{
		errors.New("5 segments, want 4"):                   true,
		buffer.ErrStale:                                    true,
		fmt.Errorf("attach: %w", buffer.ErrUnavailable):    false,
		fmt.Errorf("attach: %w", buffer.ErrFull):           false,
		fmt.Errorf("attach: %w", context.DeadlineExceeded): false,
	} {
		if wrong(err) != want {
			t.Errorf("%v: %v, want %v", err, !want, want)
		}
	}
}
