package reports

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// Certainty is the chance that a run still fails, by the moment from which on chance is drawn anew:
// certainty.json.
type Certainty struct {
	// Violated is what fails.
	Violated string `json:"violated"`
	// Points in the order of their moments.
	Points []CertaintyPoint `json:"points"`
	// Done is false if the search was ended before.
	Done bool `json:"done"`
}

// CertaintyPoint is how many continuations from a moment fail.
type CertaintyPoint struct {
	// T is the moment, in seconds since the start of the load.
	T     float64 `json:"t"`
	Runs  int     `json:"runs"`
	Fails int     `json:"fails"`
}

// Share is that of the continuations that fail.
func (p CertaintyPoint) Share() float64 { return float64(p.Fails) / float64(max(p.Runs, 1)) }

// Interval is the share with its uncertainty: Wilson's score interval at 95 %.
func (p CertaintyPoint) Interval() (low, high float64) {
	const z = 1.96
	n, share := float64(max(p.Runs, 1)), p.Share()
	m, middle := 1+z*z/n, share+z*z/(2*n)
	r := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return (middle - r) / m, (middle + r) / m
}

// Jump returns the points between which the chance rises most; sure is false if they are too uncertain
// to say that it does, and both are the same if it rises nowhere.
func (c Certainty) Jump() (before, after CertaintyPoint, sure bool) {
	most := 0.0
	for i := 1; i < len(c.Points); i++ {
		a, b := c.Points[i-1], c.Points[i]
		if rise := b.Share() - a.Share(); rise > most {
			_, high := a.Interval()
			low, _ := b.Interval()
			before, after, most, sure = a, b, rise, low > high
		}
	}
	return before, after, sure
}

// Says is what the curve tells, with what happened in the jump.
func (c Certainty) Says(events []Event) string {
	if len(c.Points) == 0 {
		return "no moment was looked at"
	}
	before, after, sure := c.Jump()
	first, last := c.Points[0], c.Points[len(c.Points)-1]
	switch {
	case before == after && first.Fails == first.Runs:
		return fmt.Sprintf("it fails from the beginning, whatever chance draws: %d of %d runs", first.Fails,
			first.Runs)
	case before == after:
		return fmt.Sprintf("the chance rises nowhere: it is %.0f %% from %.2f s and %.0f %% from %.2f s on",
			100*first.Share(), first.T, 100*last.Share(), last.T)
	}
	var happened []string
	for _, e := range events {
		if text := e.Says(); text != "" && e.T >= before.T-0.0005 && e.T <= after.T+0.0005 {
			happened = append(happened, fmt.Sprintf("at %.2f s %s", e.T, text))
		}
	}
	text := fmt.Sprintf("between %.2f s and %.2f s the chance that it fails rises from %.0f %% to %.0f %%",
		before.T, after.T, 100*before.Share(), 100*after.Share())
	if len(happened) > 0 {
		text += ": " + strings.Join(happened, "; ")
	}
	if !sure {
		text += " (by less than it is uncertain: more runs would tell)"
	}
	return text
}

// WriteText writes the curve as a table.
func (c Certainty) WriteText(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%10s  %9s  %6s  %s\n", "from", "fail", "chance", "95 %")
	const width = 40
	for _, p := range c.Points {
		low, high := p.Interval()
		fmt.Fprintf(&text, "%8.3f s  %4d/%-4d  %4.0f %%  %3.0f..%-3.0f %s\n", p.T, p.Fails, p.Runs,
			100*p.Share(), 100*low, 100*high, strings.Repeat("#", int(math.Round(width*p.Share()))))
	}
	_, err := io.WriteString(w, text.String())
	return err
}
