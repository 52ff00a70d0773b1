package judge

import (
	"regexp"
	"strconv"

	"sluice/flusher"
	"sluice/reports"
)

// glances are the looks as a timeline shows them: what each worker of each consumer was doing.
func glances(looks []Look) []reports.Glance {
	list := make([]reports.Glance, 0, len(looks))
	for _, l := range looks {
		g := reports.Glance{T: l.T}
		for _, c := range l.Consumers {
			for _, w := range c.States {
				g.Workers = append(g.Workers, reports.WorkerGlance{
					Consumer: c.Consumer, Worker: w.Worker, Stage: w.Status.Stage.String(),
					Up:     w.State == flusher.StateHealthy || w.State == flusher.StateBackpressure,
					Shards: ShardNumbers(w.Shards),
				})
			}
		}
		list = append(list, g)
	}
	return list
}

// moment is how the words of an invariant name a time.
var moment = regexp.MustCompile(`\b(?:at|from) (\d+(?:\.\d+)?)s\b`)

// aside is where the words of a reason go over to what may have led to it: times behind that are of something
// else.
var aside = regexp.MustCompile(`; (the first was due|since then|before that|it can be by)\b`)

// violatedAt returns when what violates a property happened: the first time that the reason names, or,
// for what is only seen when all is over, when the run was watched last.
func violatedAt(e *Evidence, reason string) *float64 {
	at := watchedUntil(e)
	if cut := aside.FindStringIndex(reason); cut != nil {
		reason = reason[:cut[0]]
	}
	if found := moment.FindStringSubmatch(reason); found != nil {
		at, _ = strconv.ParseFloat(found[1], 64) // the pattern is one of numbers
	}
	return &at
}
