package judge

import (
	"testing"

	"sluice/reports"
)

// TestKind: two violations are of one kind if they differ in numbers and particulars alone.
func TestKind(t *testing.T) {
	const stuck = "30.0s after the load 1 span had not come out: 2 messages of the input not committed"
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{stuck, "8.5s after the load 27 spans had not come out: nothing says why", true},
		{stuck, "the consumer should have ended because a worker's restart budget is used up, but did not", false},
		{stuck, "a consumer did not stop within 10s", false},
		{"at 3.1s worker 0 was restarted for the 3th time, its budget is 2", "at 9.0s worker 12 was restarted for the 11th time, its budget is 10", true},
		{"at 3.1s worker 0 was restarted for the 3th time, its budget is 2", "at 3.1s worker 0 was restarted without a failure", false},
		{"duplicated span: 3, first: a", "duplicated span: 1, first: b", true},
		{"duplicated span: 3, first: a", "differing repeat: 3, first: a", false},
		{"duplicated span: 3, first: a", `duplicated span: 3, first: a; it can be by "crash consumer": expectations`, false},
	} {
		a, b := Kind(reports.Judgement{Detail: c.a}), Kind(reports.Judgement{Detail: c.b})
		if (a == b) != c.same {
			t.Errorf("%q and %q are of one kind: %v (%q, %q)", c.a, c.b, a == b, a, b)
		}
	}
}
