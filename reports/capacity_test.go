package reports

import (
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"
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

// TestReadableInGrey: what a chart tells apart by colour is also told apart by lightness, on white and in a dark
// page, and from the page.
func TestReadableInGrey(t *testing.T) {
	const apart = 25 // of 256 steps of grey
	grey := func(c color.NRGBA) float64 { return 0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B) }
	dark := func(c color.NRGBA) color.NRGBA {
		v, err := strconv.ParseUint(strings.TrimPrefix(darkOf[hex(c)], "#"), 16, 32)
		if err != nil {
			t.Fatal(err)
		}
		return color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xFF}
	}
	for name, inks := range map[string][]color.NRGBA{"resources": busyColors, "paths": pathInks} { //order-free: each for itself
		inks := append(slices.Clone(inks), paper)
		for i, a := range inks {
			for _, b := range inks[:i] {
				if math.Abs(grey(a)-grey(b)) < apart || math.Abs(grey(dark(a))-grey(dark(b))) < apart {
					t.Errorf("%s: %s and %s are %.0f and %.0f, dark %.0f and %.0f", name, hex(a), hex(b), grey(a), grey(b),
						grey(dark(a)), grey(dark(b)))
				}
			}
		}
	}
}

// TestNamesOfPaths are beside their paths, none upon another, and all inside.
func TestNamesOfPaths(t *testing.T) {
	path := func(name string, unread, bytes float64) Path {
		return Path{Name: name, Unread: []float64{0, unread, 0}, Bytes: []float64{0, bytes, 1e6}}
	}
	m := Portrait{Paths: []Path{path("50 %", 1000, 5e6), path("70 %", 1010, 5.1e6), path("85 %", 1020, 5e6),
		path("95 %", 2000, 9e6), {Name: "none"}}}
	var svg strings.Builder
	if err := m.Figure("portrait", "Where it goes").Wide.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	type place struct{ x, y float64 }
	at := map[string]place{}
	for _, name := range []string{"50 %", "70 %", "85 %", "95 %"} {
		parts := strings.Split(svg.String(), ">"+name+"<")
		if len(parts) != 3 { // in the legend, and beside its path
			t.Fatalf("%s is there %d times", name, len(parts)-1)
		}
		tag := parts[1][strings.LastIndex(parts[1], "<text"):]
		at[name] = place{attribute(t, tag, "x"), attribute(t, tag, "y")}
	}
	for name, a := range at { //order-free: each with each
		if a.x+pathNameStyle().Width(name).Points() > figureWidth-marginRight {
			t.Errorf("%s ends beyond the panel: %v", name, a)
		}
		for other, b := range at { //order-free: each with each
			if name != other && math.Abs(a.y-b.y) < 10 && math.Abs(a.x-b.x) < 20 {
				t.Errorf("%s is upon %s: %v and %v", name, other, a, b)
			}
		}
	}
}

// attribute is a number in the text of a tag.
func attribute(t *testing.T, tag, name string) float64 {
	t.Helper()
	_, text, _ := strings.Cut(tag, " "+name+"=\"")
	text, _, _ = strings.Cut(text, "\"")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("no number %s in %s", name, tag)
	}
	return v
}

// TestWhenItWasBusy: a rate that was sustained is not said to have been too much.
func TestWhenItWasBusy(t *testing.T) {
	found, bound := ScalingPoint{Processes: 1, Sustained: 900, Failed: 1000}, ScalingPoint{Processes: 2, Sustained: 2000}
	for want, points := range map[string][]ScalingPoint{ //order-free: each for itself
		"busy when it was too much":                               {found, found},
		"busy at the highest rate that was tried":                 {bound},
		"busy when it was too much, or at the highest rate tried": {found, bound},
	} {
		s := Scaling{Points: points, Busy: []Busyness{{Name: "workers", ByCount: map[int]float64{1: 0.9, 2: 0.4}}}}
		var svg strings.Builder
		if err := s.Figure("capacity", "Throughput").Wide.WriteSVG(&svg); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(svg.String(), ">"+want+"<") {
			t.Errorf("no %q in the chart of %+v", want, points)
		}
	}
}
