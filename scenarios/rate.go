package scenarios

import (
	"fmt"
	"strings"
	"time"

	"sluice/internal/options"
)

// Rate is a load shape, the number of spans per second over the time of a run:
//
//	constant 2000/s
//	ramp 1000/s to 20000/s              in a straight line over the whole duration
//	step 1000/s, 5000/s at 5s, 0/s at 8s
//	sine 5000/s +- 2000/s every 10s     starts at the middle, rising
//	burst 1000/s to 20000/s for 1s every 5s   each period ends with its burst
//
// internal/load has the formulas.
type Rate struct {
	// Shape is the kind of curve.
	Shape Shape
	// From is the rate of constant, the first of ramp and step, the middle of sine, the rest of
	// burst.
	From PerSecond
	// To is the last rate of ramp, and the high one of burst.
	To PerSecond
	// Swing is how far sine goes up and down from its middle.
	Swing PerSecond
	// For is the length of a burst.
	For time.Duration
	// Every is the period of sine and burst.
	Every time.Duration
	// Steps are the later rates of step, in the order of their times.
	Steps []Step
}

// Step is a rate that holds from a time on.
type Step struct {
	Rate PerSecond
	At   time.Duration
}

// Shape is a kind of curve.
type Shape string

// The shapes.
const (
	ShapeConstant Shape = "constant"
	ShapeRamp     Shape = "ramp"
	ShapeStep     Shape = "step"
	ShapeSine     Shape = "sine"
	ShapeBurst    Shape = "burst"
)

var rateForms = map[Shape]string{
	ShapeConstant: "constant 2000/s",
	ShapeRamp:     "ramp 1000/s to 20000/s",
	ShapeStep:     "step 1000/s, 5000/s at 5s",
	ShapeSine:     "sine 5000/s +- 2000/s every 10s",
	ShapeBurst:    "burst 1000/s to 20000/s for 1s every 5s",
}

// Shapes returns the names of all shapes.
func Shapes() []string {
	return []string{string(ShapeConstant), string(ShapeRamp), string(ShapeStep), string(ShapeSine),
		string(ShapeBurst)}
}

// UnmarshalText reads one of the forms above.
func (r *Rate) UnmarshalText(text []byte) error {
	shape, rest, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	form, known := rateForms[Shape(shape)]
	if !known {
		if _, err := parsePerSecond(shape); err == nil {
			return fmt.Errorf("a rate starts with its shape: write constant %s", shape)
		}
		if _, err := parsePerSecond(shape + "/s"); err == nil {
			return fmt.Errorf("a rate starts with its shape, and has a unit: write 'constant %s/s'", shape)
		}
		return fmt.Errorf("unknown load shape %q%s", shape, options.Hint(shape, Shapes()))
	}
	rate := Rate{Shape: Shape(shape)}
	w := &words{list: strings.Fields(strings.ReplaceAll(rest, ",", " , "))}
	rate.From = w.rate()
	switch rate.Shape {
	case ShapeRamp:
		w.literal("to")
		rate.To = w.rate()
	case ShapeStep:
		for w.more() {
			w.literal(",")
			step := Step{Rate: w.rate()}
			w.literal("at")
			step.At = w.duration()
			rate.Steps = append(rate.Steps, step)
		}
	case ShapeSine:
		w.literal("+-")
		rate.Swing = w.rate()
		w.literal("every")
		rate.Every = w.duration()
	case ShapeBurst:
		w.literal("to")
		rate.To = w.rate()
		w.literal("for")
		rate.For = w.duration()
		w.literal("every")
		rate.Every = w.duration()
	}
	w.end()
	if w.err == nil {
		w.err = rate.check()
	}
	if w.err != nil {
		return fmt.Errorf("rate %q: %w; the form is %q", text, w.err, form)
	}
	*r = rate
	return nil
}

func (r Rate) check() error {
	switch r.Shape {
	case ShapeStep:
		last := time.Duration(0)
		for _, step := range r.Steps {
			if step.At <= last {
				return fmt.Errorf("steps must come in order, but %v follows %v", step.At, last)
			}
			last = step.At
		}
	case ShapeSine:
		if r.Every <= 0 {
			return fmt.Errorf("every %v must be longer than 0s", r.Every)
		}
		if r.Swing > r.From {
			return fmt.Errorf("a swing of %v takes %v below zero", r.Swing, r.From)
		}
	case ShapeBurst:
		if r.For <= 0 || r.For >= r.Every {
			return fmt.Errorf("a burst of %v does not fit into every %v", r.For, r.Every)
		}
	}
	return nil
}

// Constant returns the shape of a rate that does not change, in spans per second.
func Constant(perSecond float64) Rate {
	return Rate{Shape: ShapeConstant, From: PerSecond(perSecond)}
}

// Peak returns the highest rate of the shape.
func (r Rate) Peak() PerSecond {
	peak := max(r.From+r.Swing, r.To)
	for _, step := range r.Steps {
		peak = max(peak, step.Rate)
	}
	return peak
}

// MarshalText writes what UnmarshalText reads.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the text form.
func (r Rate) String() string {
	text := string(r.Shape) + " " + r.From.String()
	switch r.Shape {
	case ShapeRamp:
		text += " to " + r.To.String()
	case ShapeStep:
		for _, step := range r.Steps {
			text += fmt.Sprintf(", %v at %v", step.Rate, step.At)
		}
	case ShapeSine:
		text += fmt.Sprintf(" +- %v every %v", r.Swing, r.Every)
	case ShapeBurst:
		text += fmt.Sprintf(" to %v for %v every %v", r.To, r.For, r.Every)
	}
	return text
}
