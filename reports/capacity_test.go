package reports

import (
	"image/color"
	"testing"
)

// TestEachResourceHasItsColour: as many as capacity knows are told apart.
func TestEachResourceHasItsColour(t *testing.T) {
	var s Scaling
	for _, name := range []string{"Redis", "workers", "cores", "Kafka", "network"} {
		s.Busy = append(s.Busy, Busyness{Name: name})
	}
	seen := map[color.Color]string{}
	for _, entry := range s.busyLegend() {
		if other, taken := seen[entry.color]; taken {
			t.Errorf("%s has the colour of %s", entry.name, other)
		}
		seen[entry.color] = entry.name
	}
}
