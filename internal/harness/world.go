package harness

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/judge"
	"sluice/internal/load"
	"sluice/reports"
	"sluice/scenarios"
)

// World is where a scenario runs: it says what can happen there, and sets it up.
type World interface {
	// Name is what results and the command line call it.
	Name() string
	// Validate returns every fault of the world's own settings, joined, or nil.
	Validate() error
	// Can returns why the world cannot do a fault, in words that say what could, or nil. It starts
	// nothing.
	Can(scenarios.Fault) error
	// Grants are what the judge allows for this world, and what it does not measure there.
	Grants(scenarios.Scenario) (judge.Slacks, map[judge.Measure]string)
	// Open starts or finds the servers of a run. No consumer runs yet. Nothing is left of a System
	// that could not be opened.
	Open(context.Context, Setup) (System, error)
}

// Setup is what a System is opened for.
type Setup struct {
	Scenario scenarios.Scenario
	// Load is what Send sends.
	Load *load.Generator
	// Sink hears what is sent, what comes out, and what happens.
	Sink *Sink
	// Planted is put around the ports of each consumer and of its workers.
	Planted defects.Planted
	// Log receives the consumers' logs. It is never nil.
	Log *slog.Logger
}

// System is one run's consumers and servers, and the load on them. Its time and its concurrency are
// the run's: everything in the run that waits or goes on beside something else does so by it.
//
// A fault that cannot happen just now, since its target is down or suffers another one, is ErrBusy.
type System interface {
	flusher.Clock
	flusher.Tasks

	// Consumers are those that run, in the order of their indices.
	Consumers() []Consumer
	// Do does something to a process of the run, and returns when it is done.
	Do(ctx context.Context, act Act, to Process) error
	// Break does a fault to the servers, the network, or the load's clock, and returns when it is
	// done. Undo ends it, and returns when what was down answers again; if it fails it can be tried
	// again. A nil undo means that there is nothing to end.
	Break(f scenarios.Fault) (undo func() error, err error)
	// Send sends the load, each message when it is due after the start, and returns when all was taken
	// or ctx is done.
	Send(ctx context.Context, start time.Time) Sent
	// Look looks at every process of the run, and measures what the world can. Of the look it leaves
	// the time and the phase open, of the sample what the ledger knows.
	Look() (judge.Look, reports.Sample)
	// Remains tells what can still come out.
	Remains(ctx context.Context) judge.Remains
	// Finish returns when the sink has all that ever came out.
	Finish(ctx context.Context) error
	// Digest stands for all that happened, in its order, where a run can be had again; "" elsewhere.
	Digest() string
	// Close ends every process at once, stops the servers, and removes what the run left on those that
	// stay. The error says what could not be removed.
	Close() error
}

// Locator is a System that knows which node of Redis holds a trace, by the number that faults give it.
type Locator interface {
	Homes(ctx context.Context) (func(trace buffer.TraceKey) int, error)
}

// ErrBusy means that something cannot be done right now.
var ErrBusy = errors.New("its target is down just now, or suffers another fault")

// Consumer is a member of the group that runs.
type Consumer struct {
	Index int
	// Life counts its starts, from 1.
	Life int
	// Workers are the states of all its workers there ever were, by index.
	Workers []flusher.WorkerState
	// Processes are the numbers of the worker processes that run, by worker. A number belongs to one
	// process at a time. None for goroutines.
	Processes map[int]int
	// Stuck says what keeps spans from moving, in words; empty if all is well.
	Stuck []string
	// Calls are those that it waits for just now, as CoverageStages has them; nil where nobody sees
	// them.
	Calls []string
}

// Process names a process of a run: a consumer, or one of its workers.
type Process struct {
	Consumer int
	// Worker is NoWorker for the consumer itself.
	Worker int
	// Number is the worker process's, as Consumer.Processes has it: what has another by now is left
	// alone, and is ErrBusy.
	Number int
}

// WholeHost is a consumer that stands for all of them with their workers: ActFreeze is of all or, with ErrBusy,
// of none. Until ActWake nothing starts or wakes there.
const WholeHost = -1

// consumerAt is the process of a consumer.
func consumerAt(index int) Process { return Process{Consumer: index, Worker: reports.NoWorker} }

// Act is what can be done to a process.
type Act uint8

const (
	// ActStart begins a consumer's next life, and is done when its servers have answered.
	ActStart Act = iota
	// ActStop lets a consumer drain, and is done when it has ended. When ctx is done it is killed.
	ActStop
	// ActKill ends a process by force. The workers of a killed consumer end by themselves.
	ActKill
	// ActFreeze stops a process, a consumer together with its workers, where it stands.
	ActFreeze
	// ActWake lets it go on.
	ActWake
)

// String returns the act in words.
func (a Act) String() string { return [...]string{"start", "stop", "kill", "freeze", "wake"}[a] }

// Sent is what became of the load.
type Sent struct {
	// Behind is how late a message was at most, in seconds: an open loop that lags is none.
	Behind float64
	// Limit says why, if it was; Limited is true if the harness itself was the limit of the run.
	Limit   string
	Limited bool
	// Err means that not everything was sent.
	Err error
}
