package diff

import (
	"errors"
	"fmt"
	"math"
)

// Options say what is a difference.
type Options struct {
	// Alpha is the probability of a false alarm, over all figures together.
	Alpha float64 `json:"alpha"`
	// LeastEffect is the share of A's median by which a figure may get worse, and how near to each
	// other two sets must be to be called the same.
	LeastEffect float64 `json:"least_effect"`
	// Rules decide, if there are any, instead of the least effect.
	Rules []Rule `json:"-"`
	// Steady is the part of a single run that is cut into batches.
	Steady Steady `json:"-"`
	// FiguresOnly lets one virtual run on each side, of the same scenario and seed, be another, event by
	// event.
	FiguresOnly bool `json:"figures_only"`
}

// Validate returns what is wrong with the options, joined, or nil.
func (o Options) Validate() error {
	var errs []error
	if !(o.Alpha > 0 && o.Alpha < 1) {
		errs = append(errs, fmt.Errorf("alpha %v must be above 0 and below 1", o.Alpha))
	}
	if !(o.LeastEffect >= 0) || math.IsInf(o.LeastEffect, 0) {
		errs = append(errs, fmt.Errorf("least effect %v must be 0 or more", o.LeastEffect))
	}
	return errors.Join(errs...)
}
