package compare

import (
	"errors"
	"testing"
)

func TestWarmUpEndsWhenTheBrokerIsWarm(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name string
		took []float64 // by the broker, in each run; 0: not seen
		err  error     // of the run after these
		runs int
	}{
		{"gets quicker twice", []float64{40, 20, 15, 14, 1}, nil, 4},
		{"is warm", []float64{14, 14.5, 1}, nil, 2},
		{"elsewhere", []float64{0, 1}, nil, 1},
		{"gets quicker for ever", []float64{64, 32, 16, 8, 4, 2, 1}, nil, 5},
		{"fails", []float64{40, 20}, broken, 2},
	} {
		runs := 0
		err := WarmUp(func() (Run, error) {
			if runs == len(c.took) {
				return Run{}, c.err
			}
			runs++
			one := Run{Figures: map[Figure]float64{}}
			if took := c.took[runs-1]; took > 0 {
				one.Figures[KafkaTime] = took
			}
			return one, nil
		})
		if runs != c.runs || !errors.Is(err, c.err) {
			t.Errorf("%s: %d runs and %v, want %d and %v", c.name, runs, err, c.runs, c.err)
		}
	}
}
