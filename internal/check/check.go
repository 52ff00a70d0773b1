// Package check collects the faults of a configuration, so that one look shows them all.
package check

import (
	"errors"
	"fmt"
)

// Faults are what is wrong; nil is nothing.
type Faults []error

// When adds a fault, formatted as by fmt.Errorf, if it is one.
func (f *Faults) When(bad bool, format string, args ...any) {
	if bad {
		*f = append(*f, fmt.Errorf(format, args...))
	}
}

// Add adds the faults of a part: errors, of which nil is none.
func (f *Faults) Add(errs ...error) { *f = append(*f, errs...) }

// Err joins the faults; it is nil if there are none.
func (f Faults) Err() error { return errors.Join(f...) }
