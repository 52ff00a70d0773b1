package buffer

import (
	"testing"
	"time"
)

func TestDeadline(t *testing.T) {
	options := Options{Timeout: time.Minute, RootTimeout: 10 * time.Second}
	aged := options
	aged.MaxSegmentAge = 90 * time.Second
	cases := []struct {
		name    string
		clock   Instant
		live    LiveGeneration
		options Options
		want    Instant
	}{
		{"no root yet", Seconds(100), LiveGeneration{First: Seconds(100)}, options, Seconds(160)},
		{"root seen", Seconds(100), LiveGeneration{HasRoot: true}, options, Seconds(110)},
		{"an older clock pulls it back", Seconds(90), LiveGeneration{HasRoot: true}, options, Seconds(100)},
		{"age not reached", Seconds(100), LiveGeneration{First: Seconds(80)}, aged, Seconds(160)},
		{"age reached", Seconds(160), LiveGeneration{First: Seconds(80)}, aged, Seconds(170)},
		{"age zero is off", Seconds(1000), LiveGeneration{First: Seconds(1)}, options, Seconds(1060)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := Deadline(c.clock, c.live, c.options); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func TestOptionsValidateJoinsEveryFault(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
	err := Options{MaxSegmentBytes: -1, LateWindow: time.Second}.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	const want = "timeout 0s must be 1ms or more: deadlines are milliseconds\n" +
		"root_timeout 0s must be 1ms or more: deadlines are milliseconds\n" +
		"max_segment_bytes -1 must not be negative (0 switches it off)\n" +
		"late_window 1s is not supported yet: only 0"
	if err.Error() != want {
		t.Errorf("got %q\nwant %q", err, want)
	}
}
