package backend

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"sluice/buffer"
)

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
		passed := series(t.Context(), "redis", func(c Check) {
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
	series(ctx, "kafka", func(c Check) { checks = append(checks, c) }, []step{
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
