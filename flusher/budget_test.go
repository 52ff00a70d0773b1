package flusher_test

import (
	"errors"
	"testing"
	"time"

	"sluice/flusher"
)

func TestBudget(t *testing.T) {
	at := func(seconds ...int) []int { return seconds }
	tests := []struct {
		name     string
		budget   flusher.Budget
		failures []int // seconds
		restarts int   // how many of them, before the first that is refused
	}{
		{"none", flusher.Budget{Max: 0}, at(0), 0},
		{"exactly so many", flusher.Budget{Max: 3}, at(0, 1, 2, 3), 3},
		{"for ever", flusher.Budget{Max: 2}, at(0, 1e6, 2e6), 2},
		{"in the window", flusher.Budget{Max: 2, Window: 10 * time.Second}, at(0, 5, 9), 2},
		{"the window ends", flusher.Budget{Max: 2, Window: 10 * time.Second}, at(0, 5, 10, 15, 19), 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			begin := time.Unix(1000, 0)
			for i, second := range test.failures {
				err := test.budget.Spend(begin.Add(time.Duration(second) * time.Second))
				switch {
				case i < test.restarts && err != nil:
					t.Errorf("failure %d: %v", i, err)
				case i >= test.restarts && !errors.Is(err, flusher.ErrBudget):
					t.Errorf("failure %d: %v, want ErrBudget", i, err)
				}
			}
			if test.budget.Restarts() != test.restarts {
				t.Errorf("%d restarts, want %d", test.budget.Restarts(), test.restarts)
			}
		})
	}
}
