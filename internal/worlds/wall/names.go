package wall

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"time"
)

// Prefix begins the name of everything that a run makes on its servers.
const Prefix = "sluice-sim-"

// names are those of what one run has on its servers, which no other run has.
type names struct {
	run                    string
	namespace, group       string
	input, output, letters string
	// alive is a key that is there as long as the run is.
	alive string
}

// startedForm is how the name of a run says when it began, in UTC.
const startedForm = "20060102-150405"

// newNames returns names for a run of a scenario.
func newNames(scenario string, began time.Time) names {
	var unique [4]byte
	_, _ = rand.Read(unique[:]) // it never fails
	return namesOf(fmt.Sprintf("%s%s-%s-%s", Prefix, scenario, began.UTC().Format(startedForm),
		hex.EncodeToString(unique[:])))
}

func namesOf(run string) names {
	return names{
		run: run, namespace: run + ":", group: run, alive: run + ".alive",
		input: run + "-spans", output: run + "-segments", letters: run + "-dlq",
	}
}

// named reads the name of a topic, a group or a key of a run: the run's own, the scenario's, and
// when it began.
var named = regexp.MustCompile(`^(` + Prefix + `([a-z0-9-]+)-(\d{8}-\d{6})-[0-9a-f]{8})` +
	`(-spans|-segments|-dlq|:.*|\.alive|)$`)

// runOf returns the run that a topic, a group or a key is of; false for what is nobody's or another
// program's, whatever it begins with.
func runOf(name string) (run Litter, ok bool) {
	words := named.FindStringSubmatch(name)
	if words == nil {
		return Litter{}, false
	}
	began, err := time.Parse(startedForm, words[3])
	return Litter{Run: words[1], Scenario: words[2], Began: began}, err == nil
}
