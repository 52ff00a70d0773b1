package pipeline

import (
	"fmt"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
)

// brokerMemory is how long a broker that could not be reached is held against the pipeline. The
// clients try on every few seconds as long as they need it; one that they do not need any more,
// because it left the cluster, is forgotten.
const brokerMemory = time.Minute

// brokerWords returns the brokers that cannot be reached, a line each.
func brokerWords(troubles []flusher.Trouble) []string {
	var wrong []string
	for _, t := range troubles {
		if time.Since(t.Last) < brokerMemory {
			wrong = append(wrong, fmt.Sprintf("kafka broker %s cannot be reached: %v", t.Name, t.Err))
		}
	}
	return wrong
}

// troubleWords returns what of the input fails for now: one line for all partitions, with the
// longest of their troubles, and one for commits.
func troubleWords(troubles []flusher.Trouble) []string {
	var waits, commits []string
	for _, t := range troubles {
		since := t.Since.UTC().Format(time.RFC3339)
		switch {
		case t.Name == ingest.OperationCommit:
			commits = append(commits,
				fmt.Sprintf("offsets cannot be committed since %s: %v", since, t.Err))
		case waits == nil:
			waits = append(waits, fmt.Sprintf("input waits since %s: %s: %v", since, t.Step, t.Err))
		}
	}
	return append(waits, commits...)
}

// Alive returns why the pipeline cannot continue, or nil. What passes by itself is not a reason.
func (p *Pipeline) Alive() []string {
	if p.ended.Load() {
		return []string{"the pipeline has ended"}
	}
	return nil
}

// Ready returns what keeps spans from moving now, in words, one cause each; nil if all is well, and
// nothing of what Alive says. A member of the group without partitions is ready: another has them.
func (p *Pipeline) Ready() []string {
	wrong := append(brokerWords(p.brokers.All()), troubleWords(p.Troubles())...)
	for _, w := range p.Workers() {
		switch w.State {
		case flusher.StateHealthy, flusher.StateStopped, flusher.StateBackpressure:
		default:
			wrong = append(wrong,
				fmt.Sprintf("worker %d (shards %v) is %v", w.Worker, w.Shards, w.State))
		}
	}
	for _, c := range p.Counters().Partitions {
		if c.Assigned && c.Paused != "" {
			wrong = append(wrong,
				fmt.Sprintf("input of partition %d pauses: %s", c.Partition, c.Paused))
		}
	}
	return wrong
}
