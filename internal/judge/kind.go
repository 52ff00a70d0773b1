package judge

import (
	"regexp"
	"strings"

	"sluice/reports"
)

// counted is a number with what it counts, which is "1 span" or "2 spans".
var counted = regexp.MustCompile(`\d[\w.]*( [a-z]+)?`)

// explained is how the reason of duplicates goes on where something that happened can have brought them
// about: a scenario that allows more is not violated by the same run.
const explained = "; it can be by "

// Kind is what goes wrong where a property is violated: its reason up to the first stop, without numbers.
// What is behind that, and how often it was, differs from run to run of one failure. Two kinds are two
// failures: spans that had not come out, and a consumer that should have ended, both violate liveness.
func Kind(j reports.Judgement) string {
	kind := counted.ReplaceAllString(j.Detail, "#")
	if stop := strings.IndexAny(kind, ":;,("); stop >= 0 {
		kind = kind[:stop]
	}
	if strings.Contains(j.Detail, explained) {
		kind += explained
	}
	return kind
}
