package scenarios

import (
	"fmt"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/internal/options"
)

// Fault is something that is broken on purpose: a moment, a verb, a target, and what the verb
// takes. Its text form is one line:
//
//	at 5s hang worker 1                        frozen (SIGSTOP) until somebody kills it
//	at 5s hang worker 1 for 3s                 and woken (SIGCONT) after that
//	when 20000 spans flushed crash worker 2
//	every 10s from 5s crash any worker
//	randomly every 8s black-hole redis answers for 500ms
//
// Times count from the start of the load, and so does a run's plan: see Scenario.Plan. Verbs lists
// what can be done to what.
type Fault struct {
	// When is the moment, or the moments.
	When Moment
	// Verb is what happens.
	Verb Verb
	// Target is what it happens to.
	Target Target
	// Direction is the half of a connection that a network fault hits; BothDirections for the whole.
	Direction Direction
	// By is the delay of slow, the time a slow start takes, or how far the clock jumps (back, if it is
	// negative). 0 for other verbs.
	By time.Duration
	// To is the rate in bytes per second to which throttle brings a connection. 0 for other verbs.
	To buffer.Bytes
	// For is how long it lasts; ForGood if nobody ends it but the system, or the end of the load.
	For time.Duration
}

// ForGood is the length of a fault that nobody ends: the system must, or the healing at the end of
// the load.
const ForGood time.Duration = 0

// Direction is a half of the connections between the pipeline and a server.
type Direction string

// The directions.
const (
	// BothDirections hits all that goes over a connection.
	BothDirections Direction = ""
	// Requests go to the server: what is lost of them has had no effect.
	Requests Direction = "requests"
	// Answers come from the server: what is lost of them has had its effect all the same.
	Answers Direction = "answers"
)

// UnmarshalText reads the text form.
func (f *Fault) UnmarshalText(text []byte) error {
	w := &words{list: strings.Fields(string(text))}
	fault := Fault{When: w.moment()}
	use, ok := w.verb()
	if ok {
		fault.Verb = use.Verb
		w.arguments(&fault, use)
	}
	w.end()
	if w.err != nil {
		example := "at 5s hang worker 1 for 3s"
		if ok {
			example = use.Example
		}
		return fmt.Errorf("fault %q: %w; the form is like: %s", text, w.err, example)
	}
	*f = fault
	return nil
}

// arguments reads what follows the verb.
func (w *words) arguments(f *Fault, use *Usage) {
	f.Target = w.target(use)
	if use.Takes(TakesDirection) {
		if next := Direction(w.peek()); next == Requests || next == Answers {
			f.Direction = next
			w.at++
		}
	}
	if use.Takes(TakesBy) {
		w.literal("by")
		if use.Verb == VerbJump {
			f.By = w.shift()
		} else {
			f.By = w.length()
		}
	}
	if use.Takes(TakesTo) {
		w.literal("to")
		f.To = w.bytesPerSecond()
	}
	if use.Takes(TakesFor) || use.Takes(TakesMaybeFor) && w.peek() == "for" {
		w.literal("for")
		f.For = w.length()
	}
}

// MarshalText writes what UnmarshalText reads.
func (f Fault) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// String returns the text form.
func (f Fault) String() string { return f.When.String() + " " + f.What() }

// What is the text form without the moment: "hang worker 1 for 3s".
func (f Fault) What() string {
	parts := []string{string(f.Verb)}
	if f.Target.Kind != TargetGroup {
		parts = append(parts, f.Target.String())
	}
	if f.Direction != BothDirections {
		parts = append(parts, string(f.Direction))
	}
	if f.By != 0 {
		parts = append(parts, "by", f.By.String())
	}
	if f.To != 0 {
		parts = append(parts, "to", options.FormatSize(f.To)+"/s")
	}
	if f.For != ForGood {
		parts = append(parts, "for", f.For.String())
	}
	return strings.Join(parts, " ")
}

// length reads a duration over 0.
func (w *words) length() time.Duration {
	d := w.duration()
	if w.err == nil && d <= 0 {
		w.err = fmt.Errorf("%v must be longer than 0s", d)
	}
	return d
}

// shift reads a duration with a sign, other than 0.
func (w *words) shift() time.Duration {
	d := read(w, "a duration such as 30s or -30s", options.ParseSignedDuration)
	if w.err == nil && d == 0 {
		w.err = fmt.Errorf("a jump by 0s does nothing")
	}
	return d
}

// bytesPerSecond reads a size followed by /s.
func (w *words) bytesPerSecond() buffer.Bytes {
	text := w.next("a rate such as 100KiB/s")
	if w.err != nil {
		return 0
	}
	size, ok := strings.CutSuffix(text, "/s")
	if !ok {
		w.err = fmt.Errorf("rate %q has no unit: write %s/s for bytes per second", text, text)
		return 0
	}
	var b buffer.Bytes
	b, w.err = options.ParseSize(size)
	if w.err == nil && b < throttleMin {
		w.err = fmt.Errorf("a rate of %q is below %s/s: black-hole is the fault that lets nothing through",
			text, options.FormatSize(throttleMin))
	}
	return b
}

// throttleMin is the least rate to which a connection can be brought: the proxy counts in kB/s.
const throttleMin buffer.Bytes = 1000
