package diff

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"sluice/internal/options"
)

// Rule is what a figure may do from A to B: "freshness_p99 <= +10%" (by that share of A's median),
// "restarts <= +1" (by that much), or "freshness_p99 <= 2s" (B's median, whatever it was). For the name of the
// figure its path in result.json will do.
type Rule struct {
	Metric Metric
	// Most is true for <=, false for >=.
	Most bool
	Kind RuleKind
	// Value is a share for BoundShare, and in the metric's unit otherwise.
	Value float64
	// Written is the rule as it was given.
	Written string
	// Implied is true of a rule that nobody gave: the least effect that matters.
	Implied bool
}

// RuleKind is what a rule bounds.
type RuleKind int

// The kinds.
const (
	// BoundShare bounds the change as a share of A's median, BoundChange the change itself, and
	// BoundLevel the median of B.
	BoundShare RuleKind = iota
	BoundChange
	BoundLevel
)

// ruleForm has a blank before the unit, if there is one, as tables have.
var ruleForm = regexp.MustCompile(`^\s*([\w.-]+)\s*(<=|>=)\s*(\S+(?:\s+[%A-Za-z]\S*)?)\s*$`)

// ParseRule reads the text form.
func ParseRule(text string) (Rule, error) {
	parts := ruleForm.FindStringSubmatch(text)
	if parts == nil {
		return Rule{}, fmt.Errorf("%q is not a rule: write for example 'freshness_p99 <= +10%%', "+
			"'throughput >= -5%%', 'restarts <= +0' or 'freshness_p99 <= 2s'", strings.TrimSpace(text))
	}
	bound := strings.Join(strings.Fields(parts[3]), "")
	r := Rule{Most: parts[2] == "<=", Written: parts[1] + " " + parts[2] + " " + bound}
	var err error
	if r.Metric, err = metricOf(parts[1]); err != nil {
		return r, err
	}
	signed := strings.HasPrefix(bound, "+") || strings.HasPrefix(bound, "-")
	switch {
	case strings.HasSuffix(bound, "%") && !signed:
		return r, fmt.Errorf("%q: a change has a sign: write +%s or -%s", r.Written, bound, bound)
	case strings.HasSuffix(bound, "%"):
		r.Kind = BoundShare
		r.Value, err = options.ParseNumber(bound)
	case signed:
		r.Kind = BoundChange
		r.Value, err = r.Metric.parse(bound[1:])
		if bound[0] == '-' {
			r.Value = -r.Value
		}
	default:
		r.Kind = BoundLevel
		r.Value, err = r.Metric.parse(bound)
	}
	if err != nil {
		return r, fmt.Errorf("%q: %w", r.Written, err)
	}
	if r.Kind != BoundLevel && (r.Value < 0) == r.Most && r.Value != 0 {
		return r, fmt.Errorf("%q: a rule allows a change, so write <= with + or >= with -", r.Written)
	}
	return r, nil
}

// metricOf returns the metric of a name or of a path in result.json, where expectations have it from. If there is
// none, the error lists those that are written alike: a path has dots in it.
func metricOf(text string) (Metric, error) {
	var names, paths []string
	for _, m := range Metrics() {
		if text == m.Name || text == m.Path {
			return m, nil
		}
		names = append(names, m.Name)
		if m.Path != "" {
			paths = append(paths, m.Path)
		}
	}
	if strings.Contains(text, ".") {
		names = paths
	}
	return Metric{}, fmt.Errorf("unknown figure %q%s", text, options.Hint(text, names))
}

// ParseRules reads a file of rules, one a line; empty lines and what follows a # are skipped. The
// error has a line for each that is wrong.
func ParseRules(file, text string) ([]Rule, error) {
	var rules []Rule
	var errs []error
	line := 0
	for l := range strings.Lines(text) {
		line++
		l, _, _ = strings.Cut(l, "#")
		if strings.TrimSpace(l) == "" {
			continue
		}
		r, err := ParseRule(l)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s:%d: %w", file, line, err))
		}
		rules = append(rules, r)
	}
	if len(rules) == 0 {
		errs = append(errs, fmt.Errorf("%s: no rule in it", file))
	}
	return rules, errors.Join(errs...)
}

// parse reads a value in the metric's unit, which may be left out or written as tables have it.
func (m Metric) parse(text string) (float64, error) {
	number := text
	switch m.Unit {
	case unitRate:
		number = strings.TrimSuffix(strings.TrimSuffix(text, unitRate), "/s")
	case unitCost:
		number = strings.TrimSuffix(strings.TrimSuffix(text, unitCost), "us")
	case unitSpans:
		number = strings.TrimSuffix(strings.TrimSuffix(text, unitSpans), "span")
	case unitSeconds:
		d, err := options.ParseDuration(text)
		return d.Seconds(), err
	case unitBytes:
		b, err := options.ParseSize(text)
		return float64(b), err
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%q is not a value of %s: write a number%s", text, m.Name,
			map[bool]string{true: " of " + m.Unit}[m.Unit != ""])
	}
	return v, nil
}

// implied is the rule of a metric that no rule is given for: it may get worse by less than the least
// effect that matters. There is none for figures that are neither better nor worse.
func implied(m Metric, least float64) (Rule, bool) {
	r := Rule{Metric: m, Most: m.Better == Lower, Kind: BoundShare, Value: least, Implied: true}
	r.Written = fmt.Sprintf("%s <= +%s", m.Name, shareText(least))
	if m.Better == Higher {
		r.Value = -least
		r.Written = fmt.Sprintf("%s >= -%s", m.Name, shareText(least))
	}
	return r, m.Better != Neither
}
