package judge

import (
	"errors"
	"strings"
	"testing"
)

// TestConservationCounts one span as one, and bad messages only where there are some.
func TestConservationCounts(t *testing.T) {
	short := func(e *Evidence) { e.Balance.Flushed, e.Balance.Lost, e.Drained = 999, 1, false }
	for name, c := range map[string]struct {
		plant func(e *Evidence)
		want  string
	}{
		"spans": {short, "1 span lost, of 1000 sent: "},
		"bad messages, too": {all(short, func(e *Evidence) { e.Balance.BadSent, e.Balance.BadLost = 3, 2 }),
			"1 span and 2 bad messages lost, of 1000 spans and 3 bad messages sent: "},
		"bad messages that came out": {all(short, func(e *Evidence) { e.Balance.BadSent = 1 }),
			"1 span lost, of 1000 spans and 1 bad message sent: "},
		"which the store holds": {all(short, func(e *Evidence) { e.Left.Store = held() }),
			"1 span lost: the store still holds 1 trace (the first is "},
		"which wait": {all(short, func(e *Evidence) { e.Left.Waiting = 1 }), "1 message did not come out; "},
		"not committed, and out": {func(e *Evidence) { e.Left.Waiting = 2 },
			"everything came out, but at its end the input still holds 2 messages not committed: "},
		"not committed by one that failed": {func(e *Evidence) {
			e.Left.Waiting, e.PipelineErr = 2, errors.New("planted")
		}, "1000 spans sent, "},
		"not committed by one that was killed": {func(e *Evidence) { e.Left.Waiting, e.ForcedAfter = 2, 25 },
			"1000 spans sent, "},
		"none": {func(e *Evidence) { e.Balance.BadSent = 1 },
			"1000 spans sent, 1000 flushed, 0 dropped; 1 bad message sent: 1 dead letter"},
	} {
		e := clean()
		c.plant(e)
		if _, got := judgeConservation(e); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
