package reports

import (
	"strings"
	"testing"
)

// TestCertaintySays where the chance jumps, and what happened there.
func TestCertaintySays(t *testing.T) {
	events := []Event{
		{T: 1, Kind: EventFaultBegin, Worker: 0, Fault: "at 1s crash worker 0"},
		{T: 4, Kind: EventFaultBegin, Worker: 1, Fault: "at 4s hang worker 1"},
	}
	curve := func(points ...CertaintyPoint) Certainty {
		return Certainty{Violated: "process limit", Points: points}
	}
	for _, c := range []struct {
		curve Certainty
		want  string
		not   string
	}{
		{curve(CertaintyPoint{0, 100, 45}, CertaintyPoint{3.99, 100, 50}, CertaintyPoint{4.01, 25, 25}),
			"between 3.99 s and 4.01 s the chance that it fails rises from 50 % to 100 %: at 4.00 s fault: " +
				"at 4s hang worker 1", "uncertain"},
		{curve(CertaintyPoint{0, 40, 25}, CertaintyPoint{5, 10, 10}),
			"more runs would tell", "nowhere"},
		{curve(CertaintyPoint{0, 25, 25}, CertaintyPoint{5, 25, 25}), "from the beginning", "rises"},
		{curve(CertaintyPoint{0, 100, 30}, CertaintyPoint{5, 100, 20}), "rises nowhere", "uncertain"},
		{curve(), "no moment", "rises"},
	} {
		if got := c.curve.Says(events); !strings.Contains(got, c.want) || strings.Contains(got, c.not) {
			t.Errorf("%v: %q, want %q and not %q", c.curve.Points, got, c.want, c.not)
		}
	}
}

// TestCertaintyInterval: all of 10, half of 100 and none of 20, by Wilson's formula worked out by hand.
func TestCertaintyInterval(t *testing.T) {
	for _, c := range []struct {
		p         CertaintyPoint
		low, high float64
	}{
		{CertaintyPoint{0, 10, 10}, 0.722, 1}, {CertaintyPoint{0, 100, 50}, 0.404, 0.596},
		{CertaintyPoint{0, 20, 0}, 0, 0.161},
	} {
		low, high := c.p.Interval()
		if diff := max(low-c.low, c.low-low, high-c.high, c.high-high); diff > 0.001 {
			t.Errorf("%+v: %.4f to %.4f, want %v to %v", c.p, low, high, c.low, c.high)
		}
	}
}

// TestTimelineShowsCertainty as a curve of its own.
func TestTimelineShowsCertainty(t *testing.T) {
	page := told()
	page.Story.Certainty = &Certainty{Violated: "process limit", Points: []CertaintyPoint{{0, 100, 45}, {5, 25, 25}}}
	lanes := strings.Join(drive(t, written(t, page), 800)[0].Lanes, "|")
	if want := "chance that it still fails: process limit|100 %|0"; !strings.Contains(lanes, want) {
		t.Errorf("%q is missing in %q", want, lanes)
	}
}
