package buffer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Rule describes spans that are to be dropped before they are stored. A nil field matches every
// span; all the others must match.
type Rule struct {
	// Organization is the span's organization_id.
	Organization *int64 `json:"organization_id,omitempty" yaml:"organization_id,omitempty"`
	// Project is the span's project_id.
	Project *int64 `json:"project_id,omitempty" yaml:"project_id,omitempty"`
	// Trace is the span's trace_id: 32 lower-case hex digits.
	Trace *string `json:"trace_id,omitempty" yaml:"trace_id,omitempty"`
	// Partition is the partition of the input topic from which the span was read.
	Partition *int32 `json:"partition,omitempty" yaml:"partition,omitempty"`
}

// String returns the rule's fields in a fixed order, as in "organization_id=1 partition=3". Equal
// rules have equal texts, so it can be the label of a counter.
func (r Rule) String() string {
	var parts []string
	if r.Organization != nil {
		parts = append(parts, "organization_id="+strconv.FormatInt(*r.Organization, 10))
	}
	if r.Project != nil {
		parts = append(parts, "project_id="+strconv.FormatInt(*r.Project, 10))
	}
	if r.Trace != nil {
		parts = append(parts, "trace_id="+*r.Trace)
	}
	if r.Partition != nil {
		parts = append(parts, "partition="+strconv.FormatInt(int64(*r.Partition), 10))
	}
	return strings.Join(parts, " ")
}

// compile checks the rule and reads its ids.
func (r Rule) compile() (compiledRule, error) {
	c := compiledRule{text: r.String(), Rule: Rule{
		Organization: copied(r.Organization), Project: copied(r.Project), Partition: copied(r.Partition),
	}}
	switch {
	case r == (Rule{}):
		return c, errors.New("it has no field and would drop every span; " +
			"give organization_id, project_id, trace_id or partition")
	case r.Partition != nil && *r.Partition < 0:
		return c, fmt.Errorf("partition %d is negative; partitions start at 0", *r.Partition)
	case r.Trace != nil:
		trace, err := ParseTraceID(*r.Trace)
		c.trace = &trace
		return c, err
	}
	return c, nil
}

// KillSwitch is a list of rules; a span that matches one of them is dropped. It never changes, so
// a reload replaces it as a whole. A nil KillSwitch matches nothing.
type KillSwitch struct {
	rules []compiledRule
}

// compiledRule is a rule whose trace id was read; nil matches every span. It copies the values, so
// that whoever made the Rule may change it later.
type compiledRule struct {
	Rule
	trace *TraceID
	text  string
}

func copied[T any](value *T) *T {
	if value == nil {
		return nil
	}
	return new(*value)
}

func (c *compiledRule) match(organization int64, span *Span) bool {
	return (c.Organization == nil || *c.Organization == organization) &&
		(c.Project == nil || ProjectID(*c.Project) == span.Project) &&
		(c.trace == nil || *c.trace == span.Trace) &&
		(c.Partition == nil || *c.Partition == span.Position.Partition)
}

// NewKillSwitch returns the kill switch of these rules. The error joins every fault: a rule
// without fields, which would drop everything, a bad trace id, a negative partition. No
// rules give a kill switch that matches nothing.
func NewKillSwitch(rules []Rule) (*KillSwitch, error) {
	k := &KillSwitch{rules: make([]compiledRule, 0, len(rules))}
	var faults []error
	for i, rule := range rules {
		compiled, err := rule.compile()
		if err != nil {
			faults = append(faults, fmt.Errorf("kill switch rule %d: %w", i+1, err))
		}
		k.rules = append(k.rules, compiled)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return k, nil
}

// Match returns the index of the first rule that the span matches. The span's Position must be
// set.
func (k *KillSwitch) Match(organization int64, span *Span) (rule int, matched bool) {
	if k == nil {
		return 0, false
	}
	for i := range k.rules {
		if k.rules[i].match(organization, span) {
			return i, true
		}
	}
	return 0, false
}

// Text returns the text form of the rule with that index, which Match returned.
func (k *KillSwitch) Text(rule int) string { return k.rules[rule].text }
