// Package defects puts failures back that the harness must catch. Each is a wrapper around a real
// part of the pipeline, registered as a variant of its wiring; no part knows that it is wrapped, and
// production does not link this package.
//
// A program that imports it can run any scenario with one of them:
//
//	simulate run hang --defect kill-skipped
package defects

import (
	"fmt"
	"slices"
	"strings"

	"sluice/internal/pipeline"
)

// Defect is one failure.
type Defect struct {
	// Name is also that of the pipeline's variant.
	Name string
	// Wrong says in a sentence what goes wrong.
	Wrong string
	// Caught names the invariant that must be violated, given a scenario that gives it the occasion.
	Caught string
	// Shown is a scenario of the library that gives the occasion, with the changes it needs, each a
	// "path=value".
	Shown   string
	Changes []string

	variant pipeline.Variant
}

// all defects, by name.
var all = []Defect{ackFirst, commitFirst, killSkipped}

func init() {
	for _, d := range all {
		pipeline.RegisterVariant(d.Name, d.variant)
	}
}

// All returns every defect, by name.
func All() []Defect { return slices.Clone(all) }

// Find returns the defect of that name.
func Find(name string) (Defect, error) {
	var names []string
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
		names = append(names, d.Name)
	}
	return Defect{}, fmt.Errorf("unknown defect %q; known: %s", name, strings.Join(names, ", "))
}
