package scenarios

import (
	"fmt"
	"path"
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

// Figures returns the paths of the figures of result.json; a star stands for any key: a reason, a
// finding, the index of a worker.
func Figures() []string { return slices.Clone(figures) }

var figures = []string{
	"ledger.sent", "ledger.flushed", "ledger.duplicates", "ledger.lost", "ledger.buffered",
	"ledger.dropped.*", "ledger.bad_sent", "ledger.bad_lettered", "ledger.messages",
	"ledger.records", "ledger.findings.*",
	"workers.*.restarts",
	"throughput.spans_per_second", "throughput.bytes_per_second",
	"freshness_seconds.p50", "freshness_seconds.p90", "freshness_seconds.p99",
	"freshness_seconds.max", "freshness_seconds.count",
	"latency_seconds.p50", "latency_seconds.p90", "latency_seconds.p99", "latency_seconds.max",
	"latency_seconds.count",
	"harness.behind_seconds", "harness.cpu_seconds",
	"pauses", "run.virtual_seconds", "run.wall_seconds", "run.events", "run.drain_seconds",
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
	known := slices.ContainsFunc(figures, func(pattern string) bool {
		return matchFigure(pattern, limit.Figure)
	})
	if !known {
		return fmt.Errorf("unknown figure %q%s", limit.Figure, options.Hint(limit.Figure, figures))
	}
	var err error
	if limit.Value, err = figureValue(limit.Figure, limit.Written); err != nil {
		return err
	}
	*l = limit
	return nil
}

// matchFigure compares key by key, so that a star is one key.
func matchFigure(pattern, figure string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, ".", "/"), strings.ReplaceAll(figure, ".", "/"))
	return ok && err == nil
}

// figureValue reads the value of a figure in its own unit.
func figureValue(figure, text string) (float64, error) {
	number := text
	if strings.HasSuffix(figure, "per_second") {
		number = strings.TrimSuffix(text, "/s")
	}
	if value, err := strconv.ParseFloat(number, 64); err == nil {
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

// MarshalText writes what UnmarshalText reads.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// String returns the text form.
func (l Limit) String() string { return l.Figure + " " + l.Relation + " " + l.Written }
