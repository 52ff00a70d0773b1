package diff

import (
	"fmt"
	"reflect"
	"strings"

	"sluice/reports"
)

// FirstDifference is where two runs that should be the same part.
type FirstDifference struct {
	// Event is the index of the first event that differs, or -1 if none does; At is its time, in
	// seconds since the start of the load.
	Event int     `json:"event"`
	At    float64 `json:"t"`
	// A and B are what happened there on each side; nil if that side had no more events.
	A *reports.Event `json:"a"`
	B *reports.Event `json:"b"`
	// Before is what happened last on both sides, AfterA and AfterB what followed.
	Before []reports.Event `json:"before"`
	AfterA []reports.Event `json:"after_a"`
	AfterB []reports.Event `json:"after_b"`
	// Sample is the time of the first sample of the run's figures that differs, and Figures are the
	// names of those that do; nil if none does. It comes before the event where what differs is no event
	// of its own, such as the size of a batch.
	Sample  *float64 `json:"sample_t"`
	Figures []string `json:"figures"`
}

// around is how many events are shown before and after the first difference.
const around = 3

// FirstOf returns where the events of two runs part, and their samples.
func FirstOf(a, b []reports.Event, samplesA, samplesB []reports.Sample) FirstDifference {
	d := FirstDifference{Event: -1}
	if i := parting(a, b); i >= 0 {
		d.Event = i
		d.Before = a[max(0, i-around):i]
		d.A, d.AfterA = at(a, i)
		d.B, d.AfterB = at(b, i)
		switch {
		case d.A == nil:
			d.At = d.B.T
		case d.B == nil:
			d.At = d.A.T
		default:
			d.At = min(d.A.T, d.B.T)
		}
	}
	samplesA, samplesB = alike(samplesA, samplesB)
	if i := parting(samplesA, samplesB); i >= 0 {
		x, _ := at(samplesA, i)
		y, _ := at(samplesB, i)
		t := 0.0
		switch {
		case x != nil && y != nil:
			t, d.Figures = min(x.T, y.T), fieldsThatDiffer(*x, *y)
		case x != nil:
			t = x.T
		default:
			t = y.T
		}
		d.Sample = &t
	}
	return d
}

// parting is the index of the first element that two lists do not have in common, or -1.
func parting[T any](a, b []T) int {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || !reflect.DeepEqual(a[i], b[i]) {
			return i
		}
	}
	return -1
}

// at returns an element, or nil behind the end, and what follows it.
func at[T any](list []T, i int) (*T, []T) {
	if i >= len(list) {
		return nil, nil
	}
	return &list[i], list[i+1 : min(len(list), i+1+around)]
}

func fieldsThatDiffer(a, b reports.Sample) []string {
	var names []string
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for _, f := range reflect.VisibleFields(x.Type()) {
		if x.FieldByIndex(f.Index).Interface() != y.FieldByIndex(f.Index).Interface() {
			names = append(names, f.Tag.Get("json"))
		}
	}
	return names
}

// Brief says in a line where both part, and how.
func (d FirstDifference) Brief() string {
	switch {
	case d.Event >= 0:
		a, b := d.sides()
		return fmt.Sprintf("the first difference is event %d: %s; and in the other: %s", d.Event,
			timed(d.A, a), timed(d.B, b))
	case d.Sample != nil:
		return "the events are the same, and " + d.sampleText()
	}
	return "what is recorded is the same, and yet the digests differ"
}

// where is Brief without the events.
func (d FirstDifference) where() string {
	if d.Event >= 0 {
		return fmt.Sprintf("the first difference is event %d, at %.3f s", d.Event, d.At)
	}
	return d.Brief()
}

// sampleText says from when on the figures differ; "" if they do not.
func (d FirstDifference) sampleText() string {
	if d.Sample == nil {
		return ""
	}
	text := fmt.Sprintf("the figures differ from %.3f s on", *d.Sample)
	if len(d.Figures) > 0 {
		text += ": " + strings.Join(d.Figures, ", ")
	}
	return text
}

// sides are the events in which both part, in words that tell them apart.
func (d FirstDifference) sides() (a, b string) {
	a, b = eventText(d.A), eventText(d.B)
	if a == b && d.A.T == d.B.T {
		a, b = rawText(d.A), rawText(d.B)
	}
	return a, b
}

// eventText is an event in words, without its time.
func eventText(e *reports.Event) string {
	switch {
	case e == nil:
		return "no more event"
	case e.Kind == reports.EventPhase:
		return "phase " + e.Text
	case e.Kind == reports.EventWorker:
		return strings.TrimSuffix(fmt.Sprintf("worker %d is %s: %s", e.Worker, e.State, e.Text), ": ")
	}
	return e.Says()
}

// timed puts the time of an event before its text.
func timed(e *reports.Event, text string) string {
	if e == nil {
		return text
	}
	return fmt.Sprintf("at %.5f s %s", e.T, text)
}

// rawText is an event with all that it has.
func rawText(e *reports.Event) string { return strings.TrimPrefix(fmt.Sprintf("%+v", *e), "&") }

// lines shows the events around the first difference, as a diff does.
func (d FirstDifference) lines() []string {
	if d.Event < 0 {
		return nil
	}
	var lines []string
	add := func(mark string, e *reports.Event, text string) {
		if e == nil {
			lines = append(lines, mark+"              "+text)
			return
		}
		lines = append(lines, fmt.Sprintf("%s %9.5f s  %s", mark, e.T, text))
	}
	all := func(mark string, events []reports.Event) {
		for i := range events {
			add(mark, &events[i], eventText(&events[i]))
		}
	}
	a, b := d.sides()
	all(" ", d.Before)
	add("-", d.A, a)
	all("-", d.AfterA)
	add("+", d.B, b)
	all("+", d.AfterB)
	return lines
}
