package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Verdict is a judgement on one property of a run: unknown means that the run should have told and
// did not, not measured that its world cannot tell. What is not measured counts as passed.
type Verdict string

// The verdicts.
const (
	Passed      Verdict = "passed"
	Violated    Verdict = "violated"
	Unknown     Verdict = "unknown"
	NotMeasured Verdict = "not measured"
)

// Class is the verdict as one word, for the style of a page.
func (v Verdict) Class() string { return strings.ReplaceAll(string(v), " ", "-") }

// Result is the outcome of a run: result.json.
type Result struct {
	Scenario string `json:"scenario"`
	// Version of the program that made the run.
	Version string `json:"version,omitempty"`
	// World is fakes, real or virtual.
	World string `json:"world"`
	Seed  uint64 `json:"seed"`
	// Defect was planted, and PortFaults were, in their text form.
	Defect     string   `json:"defect,omitempty"`
	PortFaults []string `json:"port_faults,omitempty"`
	// Costs are the file and the changes that a virtual run had its costs from, in words; empty for the
	// built-in ones, and in results from before they were kept.
	Costs string `json:"costs,omitempty"`
	// Verdict of the whole run: passed, or the class of what was violated first: safety, liveness,
	// expectation, unknown, environment.
	Verdict string `json:"verdict"`
	// Digest of all that happened, in the virtual world: two runs with the same digest were the same,
	// event by event. On the wall clock it is that of the run's input: two runs with the same digest
	// had the same load and the same faults, not the same interleaving.
	Digest       string          `json:"digest"`
	Invariants   []Judgement     `json:"invariants"`
	Expectations []Judgement     `json:"expectations"`
	Ledger       Ledger          `json:"ledger"`
	Workers      []WorkerSummary `json:"workers"`
	Throughput   Throughput      `json:"throughput"`
	Freshness    Quantiles       `json:"freshness_seconds"`
	// Latency of a span is the time from the moment it was due to be sent, by the load's own plan,
	// to when its first record was read from the output topic. So it includes the time-outs that
	// the segment waited for, and any delay in sending.
	Latency Quantiles `json:"latency_seconds"`
	// Faults in the order in which they began, and then those whose moment never came.
	Faults []FaultSummary `json:"faults"`
	// Coverage counts which stages workers and consumer were in when the faults began.
	Coverage Coverage       `json:"coverage,omitempty"`
	Harness  HarnessSummary `json:"harness"`
	// Pauses counts the times that the input of a shard was paused.
	Pauses int        `json:"pauses"`
	Run    RunSummary `json:"run"`
	// Replay is the command that runs the same again.
	Replay string `json:"replay"`
	// Cause says in words what stopped a run before its end; empty if nothing did.
	Cause string `json:"cause,omitempty"`
}

// Judgement is the verdict on one invariant or expectation.
type Judgement struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	// Detail names the first violating event, or says why the verdict is unknown or the property not
	// measured, or what was measured.
	Detail string `json:"detail"`
	// At is when what violates it happened, in seconds since the start of the load; nil if the
	// property is not violated.
	At *float64 `json:"at,omitempty"`
}

// String is the judgement with its reason; empty for none.
func (j Judgement) String() string {
	if j.Name == "" {
		return ""
	}
	return j.Name + ": " + j.Detail
}

// Ledger is the account of the spans.
type Ledger struct {
	Sent       int64            `json:"sent"`
	Flushed    int64            `json:"flushed"`
	Duplicates int64            `json:"duplicates"`
	Lost       int64            `json:"lost"`
	Buffered   int64            `json:"buffered"`
	Dropped    map[string]int64 `json:"dropped"`
	// Messages sent, and Records that came out with distinct flush ids.
	Messages int64 `json:"messages"`
	Records  int64 `json:"records"`
	// BadSent counts the messages that are not spans, BadLettered those of them that came out in the
	// dead-letter topic.
	BadSent     int64 `json:"bad_sent"`
	BadLettered int64 `json:"bad_lettered"`
	// Findings counts what was found in the output, by kind.
	Findings map[string]int64 `json:"findings"`
}

// WorkerSummary is what became of one worker.
type WorkerSummary struct {
	Worker int `json:"worker"`
	// Consumer is the instance of the pipeline that the worker belongs to, as that of an Event. So far there
	// are only workers of the first, to which faults happen.
	Consumer int      `json:"consumer,omitempty"`
	Shards   []int    `json:"shards"`
	Restarts int      `json:"restarts"`
	Causes   []string `json:"causes"`
}

// Throughput is flushed spans and output bytes per second: over the time of the load, or over that
// from the first output record to the last if it is longer. So it is the load's rate as long as the
// system keeps up, and the system's when it does not.
type Throughput struct {
	SpansPerSecond float64 `json:"spans_per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
}

// Quantiles of a distribution, in seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
	// Count is how many values there were; without any the quantiles mean nothing.
	Count int64 `json:"count"`
}

// RunSummary is what the run took.
type RunSummary struct {
	VirtualSeconds float64 `json:"virtual_seconds"`
	WallSeconds    float64 `json:"wall_seconds"`
	Events         int     `json:"events"`
	// LoadSeconds is how long the load lasted: until its last message was sent, which may be before
	// the scenario's duration is over, or behind it, until all traces are whole. 0 in results from
	// before it was kept.
	LoadSeconds float64 `json:"load_seconds"`
	// DrainSeconds is how long after the load's end the last span came out.
	DrainSeconds float64 `json:"drain_seconds"`
}

// Took is how long the run was, in words: in the virtual world that of its clock, and the reader's.
func (r RunSummary) Took() string {
	if r.VirtualSeconds > 0 {
		return fmt.Sprintf("%.1f virtual s in %.1f s", r.VirtualSeconds, r.WallSeconds)
	}
	return fmt.Sprintf("%.1f s", r.WallSeconds)
}

// FaultSummary is a fault and how long its direct effect lasted.
type FaultSummary struct {
	// Fault is its text in the scenario file.
	Fault string `json:"fault"`
	// Worker that it hit; NoWorker if it was all of them, or none.
	Worker int `json:"worker"`
	// From and To are when its effect began and ended, in seconds since the start of the load. A
	// fault that never ended has the end of the run; both are 0 for one that was not injected.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Injected is false for a fault whose moment never came.
	Injected bool `json:"injected"`
}

// HarnessSummary is what the harness itself did and took, so that its own limits are not mistaken
// for those of the system.
type HarnessSummary struct {
	// BehindSeconds is how late a message was handed over at most, against the moment that the
	// load's rate gave it.
	BehindSeconds float64 `json:"behind_seconds"`
	// CPUSeconds is the processor time of the harness in the run, with the fakes, which live in it; 0 if
	// not known.
	CPUSeconds float64 `json:"cpu_seconds"`
	// Limit says in words why the harness and not the system was the limit; empty if it was not.
	Limit string `json:"limit"`
}

// WriteJSON writes a value for programs, and readable.
func WriteJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}
