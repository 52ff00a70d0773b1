package buffer

import (
	"encoding/json"
	"testing"
)

const someTrace = "0123456789abcdef0123456789abcdef"

func rulesOf(t *testing.T, text string) []Rule {
	t.Helper()
	var rules []Rule
	if err := json.Unmarshal([]byte(text), &rules); err != nil {
		t.Fatal(err)
	}
	return rules
}

func TestKillSwitchMatches(t *testing.T) {
	trace, err := ParseTraceID(someTrace)
	if err != nil {
		t.Fatal(err)
	}
	span := Span{TraceKey: TraceKey{Project: 12, Trace: trace}, Position: Position{Partition: 3}}
	cases := []struct {
		name, rules string
		want        int // index of the rule, -1 for none
		text        string
	}{
		{"no rules", `[]`, -1, ""},
		{"organization", `[{"organization_id":1}]`, 0, "organization_id=1"},
		{"another organization", `[{"organization_id":2}]`, -1, ""},
		{"project", `[{"project_id":12}]`, 0, "project_id=12"},
		{"another project", `[{"project_id":1}]`, -1, ""},
		{"trace", `[{"trace_id":"` + someTrace + `"}]`, 0, "trace_id=" + someTrace},
		{"another trace", `[{"trace_id":"ffffffffffffffffffffffffffffffff"}]`, -1, ""},
		{"partition", `[{"partition":3}]`, 0, "partition=3"},
		{"another partition", `[{"partition":0}]`, -1, ""},
		{"zero is a value, not absence", `[{"organization_id":0},{"project_id":0}]`, -1, ""},
		{"all fields",
			`[{"partition":3,"trace_id":"` + someTrace + `","project_id":12,"organization_id":1}]`,
			0, "organization_id=1 project_id=12 trace_id=" + someTrace + " partition=3"},
		{"one field of several is another", `[{"organization_id":1,"partition":4}]`, -1, ""},
		{"the first of two counts", `[{"project_id":5},{"partition":3},{"project_id":12}]`,
			1, "partition=3"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rules := rulesOf(t, c.rules)
			k, err := NewKillSwitch(rules)
			if err != nil {
				t.Fatal(err)
			}
			for i := range rules { // what was compiled must not depend on the rules any more
				*firstField(&rules[i]) = -1
			}
			got, matched := k.Match(1, &span)
			if matched != (c.want >= 0) || matched && got != c.want {
				t.Fatalf("got rule %d, %v; want %d", got, matched, c.want)
			}
			if matched && k.Text(got) != c.text {
				t.Errorf("the rule is %q, want %q", k.Text(got), c.text)
			}
		})
	}
}

// firstField is a number of the rule, or one of no rule.
func firstField(r *Rule) *int64 {
	switch {
	case r.Organization != nil:
		return r.Organization
	case r.Project != nil:
		return r.Project
	}
	return new(int64)
}

func TestKillSwitchNilMatchesNothing(t *testing.T) {
	var k *KillSwitch
	if rule, matched := k.Match(1, &Span{}); matched {
		t.Errorf("matches rule %d", rule)
	}
}

func TestNewKillSwitchJoinsEveryFault(t *testing.T) {
	_, err := NewKillSwitch(rulesOf(t, `[{},{"project_id":1},{"trace_id":"ABC"},{"partition":-1}]`))
	if err == nil {
		t.Fatal("no error")
	}
	const want = "kill switch rule 1: it has no field and would drop every span; " +
		"give organization_id, project_id, trace_id or partition\n" +
		`kill switch rule 3: trace id "ABC" has 3 characters, want 32 lower-case hex digits` + "\n" +
		"kill switch rule 4: partition -1 is negative; partitions start at 0"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}
