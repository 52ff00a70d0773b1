package scenarios

import (
	"slices"
	"testing"
	"time"
)

// TestPlanSaysWhatTheSeedDraws: when a fault happens, to which worker, and for which it draws no time.
func TestPlanSaysWhatTheSeedDraws(t *testing.T) {
	s := Default()
	s.Duration = 10 * time.Second
	for _, text := range []string{"randomly every 1000h crash worker 0", "at 1s crash any worker",
		"randomly every 1s crash worker 0", "every 20s crash worker 0"} {
		var f Fault
		if err := f.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		s.Faults = append(s.Faults, f)
	}
	plan := s.Plan()
	if got := s.Undrawn(plan); !slices.Equal(got, s.Faults[:1]) {
		t.Errorf("of %v no time was drawn for %v", s.Faults, got)
	}
	for _, o := range plan {
		if o.Random != (o.Index == 2) || o.Drawn != (o.Index == 1) {
			t.Errorf("%+v", o)
		}
	}
}
