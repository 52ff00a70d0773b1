package flusher

import (
	"context"
	"time"

	"sluice/buffer"
)

// Stage is what a worker is doing.
type Stage uint8

// The stages of a worker, in the order in which it passes them.
const (
	StageStarting Stage = iota
	StageIdle
	StageLease
	StageClaim
	StageLoad
	StageProduce
	StageWait
	StageAck
	StageRelease
	StageStopped
)

var stageNames = [...]string{
	"starting", "idle", "lease", "claim", "load", "produce", "wait", "ack", "release", "stopped",
}

// String returns the stage's name, as it stands in logs, metrics and results.
func (s Stage) String() string { return nameOf(stageNames[:], int(s)) }

// Status is what a worker reports about itself. Counters only grow during the life of one worker.
type Status struct {
	Stage Stage `json:"stage"`
	// Beats counts the signs of life: one with every stage and every acknowledged record.
	Beats uint64 `json:"beats"`
	// BackpressureSince is when a lease of some shard first returned all it was allowed to and
	// every later one did too; zero if the last did not.
	BackpressureSince time.Time `json:"backpressure_since,omitzero"`
	Totals
	// Lost holds the shards that are not the worker's any more. It keeps working on the others. SetBack
	// is true if the store has lost data, and with that what it knew of the owner of one of them;
	// otherwise a later owner has taken them.
	Lost    []buffer.Shard `json:"lost,omitempty"`
	SetBack bool           `json:"set_back,omitempty"`
	// Troubles are what it tries again for now, the longest first. One that is starting waits for that
	// before it begins.
	Troubles []TroubleState `json:"troubles,omitempty"`
}

// Totals are a worker's counters.
type Totals struct {
	// Segments, Spans and Bytes count what was acknowledged by Kafka and by the store. Bytes is
	// the sum of the spans' sizes.
	Segments uint64 `json:"segments"`
	Spans    uint64 `json:"spans"`
	Bytes    uint64 `json:"bytes"`
	// Records counts the output records that Kafka acknowledged, DeadLetters those that were sent
	// to the dead-letter topic because no broker would take them.
	Records     uint64 `json:"records"`
	DeadLetters uint64 `json:"dead_letters"`
	// Retries counts the attempts that failed at a server and were made again, by stage.
	Retries Retries `json:"retries,omitzero"`
}

// Retries are counts by stage.
type Retries [len(stageNames)]uint64

// Plus returns the sum.
func (r Retries) Plus(other Retries) Retries {
	for stage, n := range other {
		r[stage] += n
	}
	return r
}

// Plus returns the sum.
func (t Totals) Plus(u Totals) Totals {
	return Totals{
		Segments:    t.Segments + u.Segments,
		Spans:       t.Spans + u.Spans,
		Bytes:       t.Bytes + u.Bytes,
		Records:     t.Records + u.Records,
		DeadLetters: t.DeadLetters + u.DeadLetters,
		Retries:     t.Retries.Plus(u.Retries),
	}
}

// Reporter receives a worker's status. A report is a sign of life, so a worker reports only
// from the sequence of its own stages, never from a timer beside it.
type Reporter interface {
	// Report replaces the status reported before.
	Report(status Status)
	// Fresh reports the freshness of segments that were just acknowledged: for each, how long
	// after its deadline, in the shard's clock, the last of its records was acknowledged.
	Fresh(samples []time.Duration)
}

// WorkerSpec is what a worker is started with.
type WorkerSpec struct {
	// Worker is the worker's index, from 0.
	Worker int `json:"worker"`
	// Owners are the shards of the worker, each with the epoch it was fenced with.
	Owners []buffer.Fenced `json:"owners"`
	// Start counts the starts of this worker, from 1.
	Start int `json:"start"`
}

// Spawner starts workers: as OS processes, as goroutines, or as coroutines.
type Spawner interface {
	// Start starts a worker. An error means that nothing runs.
	Start(ctx context.Context, spec WorkerSpec) (Handle, error)
}

// Handle is a worker that was started.
type Handle interface {
	// Status returns the worker's last report and when it arrived, by the spawner's clock. Before
	// the first report it is the zero Status and the time of the start.
	Status() (Status, time.Time)
	// DrainFresh returns the freshness samples that arrived since the last call.
	DrainFresh() []time.Duration
	// Stop asks the worker to finish what is in flight and end.
	Stop()
	// Kill ends the worker by force, as far as its kind allows.
	Kill()
	// Exited tells without blocking whether the worker is proven stopped, and how it ended.
	Exited() (Exit, bool)
	// CanKill is false for workers that Kill cannot end: goroutines.
	CanKill() bool
}

// Exit is how a worker ended.
type Exit struct {
	// Code is the exit code; -1 if a signal ended the worker.
	Code int
	// Signal is the signal's name, or empty.
	Signal string
	// Err is the worker's own last word, or nil.
	Err error
}
