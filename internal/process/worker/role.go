package worker

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"sluice/flusher"
	"sluice/internal/process"
)

const (
	// reportInterval is the least time between two lines to the parent.
	reportInterval = 50 * time.Millisecond
	// farewellMax bounds how long an ending worker waits for a parent that does not read.
	farewellMax = time.Second
)

// Job is what a worker is started with.
type Job struct {
	Spec flusher.WorkerSpec
	// Settings are the spawner's, as they came: the two sides agree on what they mean.
	Settings json.RawMessage
	Reporter flusher.Reporter
	Log      *slog.Logger
}

// Run is the life of a worker. It returns nil after it was asked to stop, by the second context,
// and finished what was in flight; or early with an error. The first context ends it at once.
type Run func(ctx, stop context.Context, job Job) error

// Role is a kind of worker.
type Role struct {
	run     Run
	process *process.Role[settings, report]
}

// settings are the first order to a worker process.
type settings struct {
	Settings json.RawMessage    `json:"settings"`
	Spec     flusher.WorkerSpec `json:"spec"`
}

// report is what a worker process says.
type report struct {
	Status *flusher.Status `json:"status,omitempty"`
	Fresh  []time.Duration `json:"fresh,omitempty"`
	Usage  process.Usage   `json:"usage"`
}

// Register makes a kind of worker known by its name, as process.Register does.
func Register(name string, run Run) *Role {
	r := &Role{run: run}
	r.process = process.Register(process.Role[settings, report]{
		Name:   name,
		Rhythm: process.Rhythm{Pause: reportInterval, Farewell: farewellMax},
		Run:    r.serve,
	})
	return r
}

// serve is the life of a worker process.
func (r *Role) serve(stop context.Context, s settings, parent *process.Parent[report]) error {
	out := &outbox{ring: parent.Ring}
	parent.Report(out.collect)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	return r.run(ctx, stop, Job{
		Spec: s.Spec, Settings: s.Settings, Reporter: out, Log: parent.Log,
	})
}

// outbox keeps the last report of a worker process until it is sent.
type outbox struct {
	ring func()

	mu   sync.Mutex
	next report
}

var _ flusher.Reporter = (*outbox)(nil)

// Report replaces what is to be sent.
func (b *outbox) Report(status flusher.Status) {
	b.mu.Lock()
	b.next.Status = &status
	b.mu.Unlock()
	b.ring()
}

// Fresh adds samples to what is to be sent.
func (b *outbox) Fresh(samples []time.Duration) {
	b.mu.Lock()
	b.next.Fresh = appendBounded(b.next.Fresh, samples)
	b.mu.Unlock()
	b.ring()
}

// collect returns what is new: nothing, without a new report.
func (b *outbox) collect() []report {
	b.mu.Lock()
	next := b.next
	b.next = report{}
	b.mu.Unlock()
	if next.Status == nil && next.Fresh == nil {
		return nil
	}
	next.Usage = process.Own()
	return []report{next}
}
