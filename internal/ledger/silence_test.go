package ledger

import (
	"testing"
	"time"

	"sluice/internal/load"
	"sluice/scenarios"
)

// TestPausesOfTheLoadAreNoSplits: a part of a trace may get no span for as long as its time-out, and no
// longer; whether it has its root decides which. Silence elsewhere in the trace is none of a part.
func TestPausesOfTheLoadAreNoSplits(t *testing.T) {
	// A tree in which there is a chain of three below the root, and another child of the root.
	var of *load.Recipe
	var root uint64
	child, grandchild, other := 0, 0, 0
	for seed := uint64(1); child == 0 || other == 0; seed++ {
		of, child, grandchild, other = load.NewRecipe(scenarios.Default().Workload, 4, seed), 0, 0, 0
		for i := 1; i < of.Size(root); i++ {
			switch parent := of.Parent(root, i); {
			case parent != 0 && of.Parent(root, parent) == 0 && child == 0:
				child, grandchild = parent, i
			case parent == 0 && child != 0 && i != child:
				other = i
			}
		}
	}
	type sent struct {
		place int
		at    float64
	}
	for name, c := range map[string]struct {
		sent []sent
		want bool
	}{
		"in a row":                       {[]sent{{0, 0}, {child, 1}, {grandchild, 2}, {other, 3}}, false},
		"the root waits too long":        {[]sent{{0, 0}, {child, 2}, {other, 5}}, true},
		"the root waits as long":         {[]sent{{0, 0}, {child, 2.99}, {other, 5.98}}, false},
		"its children come by the root":  {[]sent{{child, 0}, {grandchild, 4}, {0, 8}, {other, 9}}, false},
		"a part waits too long":          {[]sent{{grandchild, 0}, {child, 5}, {0, 6}}, true},
		"a part waits for its parent":    {[]sent{{0, 0}, {other, 2}, {grandchild, 3}, {child, 4.5}}, false},
		"the root waits for the link":    {[]sent{{0, 0}, {grandchild, 1}, {child, 3.5}}, true},
		"the link waits for the root":    {[]sent{{grandchild, 0}, {0, 4}, {child, 4.5}, {other, 5}}, false},
		"the part is too old at the end": {[]sent{{grandchild, 0}, {0, 4}, {child, 6}}, true},
		"nothing comes any more":         {[]sent{{0, 0}}, false},
	} {
		l := New(of)
		l.RootSilence, l.Silence = 3*time.Second, 5*time.Second
		for _, s := range c.sent {
			l.Sent(root+uint64(s.place), root, time.Duration(s.at*float64(time.Second)))
		}
		if got := l.fellSilent(root); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		l.Silence = 0
		if l.fellSilent(root) {
			t.Errorf("%s: nobody knows the time-outs, and it fell silent", name)
		}
	}
}
