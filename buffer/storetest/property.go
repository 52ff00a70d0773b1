package storetest

import (
	"strings"
	"testing"

	"github.com/leanovate/gopter"
	"github.com/leanovate/gopter/gen"
	"github.com/leanovate/gopter/prop"

	"sluice/internal/proptest"
)

// Property checks that a candidate gives the reference's answers to random sequences of all steps:
// with crashes between any two, redelivery in other cuts, take-over, and owners that wake up late;
// and that after a last delivery and flush nothing was lost and nothing is left over.
func Property(t *testing.T, name string, reference, candidate Factory, options ...proptest.Option) {
	t.Helper()
	proptest.Check(t, name, differentialProp(t, reference, candidate), options...)
}

func differentialProp(t *testing.T, reference, candidate Factory) gopter.Prop {
	return prop.ForAll(func(steps []uint32) string {
		log, err := Differential(t, reference, candidate, steps)
		if err != nil {
			return err.Error() + "\nafter\n" + strings.Join(log, "\n")
		}
		return ""
	}, gen.SliceOf(gen.UInt32()))
}
