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

// troubleWords returns what fails for now, a line for each operation: that of the longest of its
// troubles, when several partitions have it.
func troubleWords(troubles []flusher.Trouble) []string {
	var words []string
	said := make(map[string]bool)
	for _, t := range troubles {
		if said[t.Name] {
			continue
		}
		said[t.Name] = true
		since := t.Since.UTC().Format(time.RFC3339)
		switch t.Name {
		case ingest.OperationCommit:
			words = append(words, fmt.Sprintf("offsets cannot be committed since %s: %v", since, t.Err))
		case ingest.OperationInput:
			words = append(words, fmt.Sprintf("input waits since %s: %s: %v", since, t.Step, t.Err))
		default:
			words = append(words, fmt.Sprintf("%s fails since %s: %v", t.Step, since, t.Err))
		}
	}
	return words
}

// workerWords returns what a worker that lives tries again for now.
func workerWords(w flusher.WorkerState) []string {
	var words []string
	for _, t := range w.Status.Troubles {
		words = append(words, fmt.Sprintf("worker %d (shards %v): %s fails since %s: %s",
			w.Worker, w.Shards, t.Step, t.Since.UTC().Format(time.RFC3339), t.Error))
	}
	return words
}

// Alive returns why the pipeline cannot continue, or nil. What passes by itself is not a reason.
func (p *Pipeline) Alive() []string {
	if p.ended.Load() {
		return []string{"the pipeline has ended"}
	}
	if err := p.Fault(); err != nil {
		return []string{fmt.Sprintf("the pipeline is ending: %v", err)}
	}
	return nil
}

// registers returns those of what this process tries until it works, without the brokers'.
func (p *Pipeline) registers() []*flusher.Troubles {
	return append(p.Troubles(), p.source.Troubles())
}

// Retries returns how many attempts have failed so far, by step. Those of workers are in their
// totals.
func (p *Pipeline) Retries() map[string]uint64 {
	retries := make(map[string]uint64)
	for _, register := range append(p.registers(), p.brokers.Troubles) {
		for step, failed := range register.Failed() {
			retries[step] += failed
		}
	}
	return retries
}

// Ready returns what keeps spans from moving now, or puts them at risk, in words, one cause each; nil if
// all is well, and nothing of what Alive says. A member of the group without partitions is ready: another
// has them.
func (p *Pipeline) Ready() []string {
	wrong := append(p.evicting.known(), brokerWords(p.brokers.All())...)
	for _, register := range p.registers() {
		wrong = append(wrong, troubleWords(register.All())...)
	}
	for _, w := range p.Workers() {
		wrong = append(wrong, workerWords(w)...)
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
