package scenarios

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sluice/internal/options"
)

// Limit is what one figure of result.json must be: "freshness_seconds.p99 <= 2s". The value is a
// number, a duration for figures in seconds, or a size for figures in bytes.
type Limit struct {
	// Figure is the path of the figure, its keys joined by dots.
	Figure string
	// Relation is one of <, <=, =, >=, >.
	Relation string
	// Value in the figure's unit: seconds, bytes, spans, ...
	Value float64
	// Written is the value as it was written.
	Written string
}

// Figures returns the paths of the figures of result.json; N stands for the number of a worker.
func Figures() []string { return slices.Clone(figures) }

var figures = []string{
	"ledger.sent", "ledger.flushed", "ledger.duplicates", "ledger.lost", "ledger.buffered",
	"ledger.dropped.dead_lettered", "ledger.dropped.wiped", "ledger.dropped.deleted",
	"ledger.dropped.set_back", "ledger.bad_sent", "ledger.bad_lettered",
	"ledger.messages", "ledger.records",
	"ledger.findings.malformed_record", "ledger.findings.unknown_span",
	"ledger.findings.altered_span", "ledger.findings.misplaced_span", "ledger.findings.split_span",
	"ledger.findings.cut-off_span", "ledger.findings.repeated_span",
	"ledger.findings.differing_repeat", "ledger.findings.duplicated_span",
	"ledger.findings.resent_span", "ledger.findings.bad_message_taken_for_a_span",
	"ledger.findings.good_span_in_the_dead-letter_topic", "ledger.findings.repeated_dead_letter",
	"ledger.findings.stray_record", "ledger.findings.span_out_of_order",
	"workers.N.restarts",
	"throughput.spans_per_second", "throughput.bytes_per_second",
	"freshness_seconds.p50", "freshness_seconds.p90", "freshness_seconds.p99",
	"freshness_seconds.max", "freshness_seconds.count",
	"latency_seconds.p50", "latency_seconds.p90", "latency_seconds.p99", "latency_seconds.max",
	"latency_seconds.count",
	"harness.behind_seconds", "harness.cpu_seconds",
	"pauses", "run.virtual_seconds", "run.wall_seconds", "run.events", "run.load_seconds", "run.drain_seconds",
}

var relations = []string{"<=", ">=", "<", ">", "="}

// UnmarshalText reads the text form.
func (l *Limit) UnmarshalText(text []byte) error {
	words := strings.Fields(string(text))
	if len(words) != 3 || !slices.Contains(relations, words[1]) {
		return fmt.Errorf("%q is not a limit on a figure: write ledger.lost = 0, "+
			"or freshness_seconds.p99 <= 2s; relations: %s", text, strings.Join(relations, " "))
	}
	limit := Limit{Figure: words[0], Relation: words[1], Written: words[2]}
	if !slices.Contains(figures, workerNumber.ReplaceAllString(limit.Figure, "workers.N.")) {
		return fmt.Errorf("unknown figure %q%s", limit.Figure, hintOf(limit.Figure))
	}
	var err error
	if limit.Value, err = figureValue(limit.Figure, limit.Written); err != nil {
		return err
	}
	*l = limit
	return nil
}

// workerNumber is what N stands for.
var workerNumber = regexp.MustCompile(`^workers\.[0-9]+\.`)

// hintOf names the figures that may be meant: similar ones, those of the same part or of one that
// begins alike, or else the parts.
func hintOf(figure string) string {
	if near := options.DidYouMean(figure, figures); near != "" {
		return near
	}
	first, _, _ := strings.Cut(figure, ".")
	for _, start := range []string{figure[:strings.LastIndex(figure, ".")+1], first} {
		known := slices.DeleteFunc(Figures(), func(f string) bool { return !strings.HasPrefix(f, start) })
		if start != "" && len(known) > 0 {
			return "; known: " + strings.Join(known, ", ")
		}
	}
	var parts []string
	for _, f := range figures {
		part, _, _ := strings.Cut(f, ".")
		parts = append(parts, part)
	}
	return "; a figure begins with one of " + strings.Join(slices.Compact(parts), ", ")
}

// figureValue reads the value of a figure in its own unit.
func figureValue(figure, text string) (float64, error) {
	number := text
	if strings.HasSuffix(figure, "per_second") {
		number = strings.TrimSuffix(text, "/s")
	}
	if value, err := strconv.ParseFloat(number, 64); err == nil && !math.IsNaN(value) && !math.IsInf(value, 0) {
		return value, nil
	}
	switch {
	case strings.Contains(figure, "seconds"):
		d, err := options.ParseDuration(text)
		return d.Seconds(), err
	case strings.Contains(figure, "bytes"):
		b, err := options.ParseSize(number)
		return float64(b), err
	}
	return 0, fmt.Errorf("%q is not a value of %s: write a number", text, figure)
}

// Holds tells whether a value is within the limit.
func (l Limit) Holds(value float64) bool {
	switch l.Relation {
	case "<":
		return value < l.Value
	case "<=":
		return value <= l.Value
	case ">":
		return value > l.Value
	case ">=":
		return value >= l.Value
	}
	return value == l.Value
}

// byFaults are the figures that are 0 unless something is broken; N stands for the number of a worker.
var byFaults = []string{
	"ledger.lost", "ledger.dropped.wiped", "ledger.dropped.deleted", "ledger.dropped.set_back",
	"ledger.findings.repeated_span", "ledger.findings.duplicated_span", "workers.N.restarts", "pauses",
}

// OfFaults tells whether the limit asks for what only faults do: without any, its figure is 0, which it
// does not allow.
func (l Limit) OfFaults() bool {
	return !l.Holds(0) && slices.Contains(byFaults, workerNumber.ReplaceAllString(l.Figure, "workers.N."))
}

// meets tells whether there is a value within both limits: if any is, then one of theirs, one
// between them, or one beyond.
func (l Limit) meets(other Limit) bool {
	a, b := l.Value, other.Value
	return slices.ContainsFunc([]float64{a, b, (a + b) / 2, min(a, b) - 1, max(a, b) + 1},
		func(v float64) bool { return l.Holds(v) && other.Holds(v) })
}

// counts tells whether the figure counts something: all but rates and times do.
func (l Limit) counts() bool {
	return strings.HasSuffix(l.Figure, ".count") ||
		!strings.Contains(l.Figure, "seconds") && !strings.Contains(l.Figure, "per_second")
}

// possible tells whether the figure can have a value within the limit: none is below 0.
func (l Limit) possible() bool {
	switch {
	case l.Relation == "<":
		return l.Value > 0
	case l.Relation == "=" && l.counts() && l.Value != math.Trunc(l.Value):
		return false
	case l.Relation == "=" || l.Relation == "<=":
		return l.Value >= 0
	}
	return true
}

// MarshalText writes what UnmarshalText reads.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// String returns the text form.
func (l Limit) String() string { return l.Figure + " " + l.Relation + " " + l.Written }
