package consumer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/buffer/memstore"
	"sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

// rig is a consumer of two partitions on fakes of its ports, in the time of a synctest bubble.
type rig struct {
	t     *testing.T
	cfg   consumer.Config
	ports consumer.Ports
	// away is until when the store is, and why what it answers until then.
	away time.Time
	why  error
	// pollErr is the source's answer instead of messages.
	pollErr error
	// drains is how long a worker takes to end after Stop; dies when it ends by itself, 0: never.
	drains, dies time.Duration

	mu        sync.Mutex
	polls     int
	paused    bool
	read      int64 // messages, of partition 0
	stored    int64 // of them, the last and all before it
	committed int64
	workers   []*worker
	over      bool // all were killed: no more starts
	lags      bool // the workers do
	events    []flusher.Event
	fresh     int // samples
	tasks     map[string]flusher.Task
	input     []ingest.Event

	began      time.Time
	stop, kill context.CancelFunc
	ended      chan error
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, why: buffer.ErrUnavailable, ended: make(chan error, 1), tasks: make(map[string]flusher.Task)}
	r.cfg = consumer.Config{
		Flusher: flusher.DefaultConfig(), Ingest: ingest.DefaultConfig("in", "dead"),
	}
	r.cfg.Flusher.Processes = 2
	r.ports = consumer.Ports{
		Clock: wallclock.Clock{}, Tasks: r, Source: r, Decoder: decoder{}, DeadLetters: r,
		Store: store{memstore.New(buffer.DefaultOptions()), r}, Spawner: r, KillWorkers: r.killAll,
		Events: func(e flusher.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.events = append(r.events, e)
		},
		Fresh: func(_ int, samples []time.Duration) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.fresh += len(samples)
		},
		IngestEvents: func(e ingest.Event) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.input = append(r.input, e)
		},
	}
	return r
}

// run starts the consumer, and lets five seconds pass.
func (r *rig) run() *consumer.Consumer {
	r.t.Helper()
	c, err := consumer.New(r.cfg, r.ports)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, kill := context.WithCancel(context.Background())
	stop, cancel := context.WithCancel(ctx)
	r.kill, r.stop = kill, cancel
	r.t.Cleanup(kill)
	go func() { r.ended <- c.Run(ctx, stop) }()
	time.Sleep(5 * time.Second)
	r.began = time.Now()
	return c
}

// end waits for the end of Run, and checks what must hold in every case. It returns how long that
// took, and Run's error.
func (r *rig) end() (took time.Duration, err error) {
	r.t.Helper()
	select {
	case err = <-r.ended:
	case <-time.After(10 * time.Minute):
		r.t.Fatal("Run does not end")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, task := range r.tasks {
		if !task.Done() {
			r.t.Errorf("task %s outlives Run", name)
		}
	}
	if len(r.workers) == 0 {
		r.t.Error("no worker was ever started")
	}
	for _, w := range r.workers {
		if _, exited := w.Exited(); !exited {
			r.t.Errorf("worker %d is alive after the end", w.spec.Worker)
		}
	}
	return time.Since(r.began), err
}

// killed returns how many workers were.
func (r *rig) killed() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, w := range r.workers {
		if !w.killedAt.IsZero() {
			n++
		}
	}
	return n
}

// gaveUp returns the reason of the event that says so, or "".
func (r *rig) gaveUp() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.input {
		if e.Kind == ingest.ShutdownCut {
			return e.Reason
		}
	}
	return ""
}

// wantCommitted checks that what was stored was also committed.
func (r *rig) wantCommitted() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stored == 0 || r.committed != r.stored {
		r.t.Errorf("of %d messages stored %d are committed, want all", r.stored, r.committed)
	}
}

func (r *rig) Go(name string, fn func()) flusher.Task {
	task := wallclock.Tasks{}.Go(name, fn)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tasks[fmt.Sprint(len(r.tasks), " ", name)] = task
	return task
}

func (r *rig) Poll(ctx context.Context, _ int, wait time.Duration) (flusher.Fetch, error) {
	if err := r.ports.Clock.Sleep(ctx, wait); err != nil {
		return flusher.Fetch{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.polls++
	if r.polls == 1 {
		return flusher.Fetch{Assigned: []int32{0, 1}, InTouch: true}, nil
	}
	if r.pollErr != nil {
		return flusher.Fetch{}, r.pollErr
	}
	if r.paused {
		return flusher.Fetch{InTouch: true}, nil
	}
	m := flusher.Message{
		Position: buffer.Position{Offset: r.read}, Time: time.Now(),
		Value: binary.BigEndian.AppendUint64(nil, uint64(r.read)),
	}
	r.read++
	batch := flusher.Batch{Messages: []flusher.Message{m}}
	return flusher.Fetch{Batches: []flusher.Batch{batch}, InTouch: true}, nil
}

func (r *rig) Pause(partitions ...int32)  { r.pause(partitions, true) }
func (r *rig) Resume(partitions ...int32) { r.pause(partitions, false) }
func (r *rig) Released(...int32)          {}

func (r *rig) pause(partitions []int32, paused bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(partitions, 0) {
		r.paused = paused
	}
}

func (r *rig) Commit(_ context.Context, last []flusher.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.committed = last[0].Position.Offset + 1
	return nil
}

// Produce and Flush are those of dead letters, of which there are none.
func (r *rig) Produce(context.Context, flusher.Record) flusher.Future { panic("a dead letter") }
func (r *rig) Flush(context.Context) error                            { return nil }

func (r *rig) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over {
		return nil, errors.New("the workers were killed")
	}
	w := &worker{rig: r, spec: spec, drains: r.drains}
	if r.dies > 0 {
		w.ends = time.Now().Add(r.dies)
	}
	r.workers = append(r.workers, w)
	return w, nil
}

func (r *rig) killAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	for _, w := range r.workers {
		w.Kill()
	}
}

// store is a memstore that is away for a time, as Attach has it.
type store struct {
	buffer.Store
	r *rig
}

func (s store) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	if time.Now().Before(s.r.away) {
		return nil, s.r.why
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, trace := range traces {
		for _, subtree := range trace.Subtrees {
			for _, span := range subtree.Spans {
				s.r.stored = max(s.r.stored, span.Position.Offset+1)
			}
		}
	}
	return s.Store.Attach(ctx, delivery, traces)
}

// decoder makes every message a trace of one span.
type decoder struct{}

func (decoder) Decode(value []byte) (d buffer.Decoded, err error) {
	copy(d.Trace[:], value)
	copy(d.ID[:], value)
	d.Project, d.Root, d.Parent, d.Size, d.Payload = 1, true, d.ID, len(value), value
	return d, nil
}

// worker is a worker that gives signs of life and does nothing: what it is follows from the time.
type worker struct {
	rig    *rig
	spec   flusher.WorkerSpec
	drains time.Duration

	mu       sync.Mutex
	ends     time.Time // zero: not yet known
	killedAt time.Time
}

func (w *worker) Status() (flusher.Status, time.Time) {
	status := flusher.Status{Stage: flusher.StageIdle, Beats: 1}
	w.rig.mu.Lock()
	defer w.rig.mu.Unlock()
	if w.rig.lags {
		status.BackpressureSince = w.rig.began
	}
	return status, time.Now()
}

func (w *worker) DrainFresh() []time.Duration { return []time.Duration{time.Second} }
func (w *worker) CanKill() bool               { return true }

func (w *worker) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends = time.Now().Add(w.drains)
}

func (w *worker) Kill() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.killedAt = time.Now()
}

func (w *worker) Exited() (flusher.Exit, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ends := []time.Time{w.ends, w.killedAt}
	ends = slices.DeleteFunc(ends, time.Time.IsZero)
	for _, end := range ends {
		if !time.Now().Before(end) {
			return flusher.Exit{}, true
		}
	}
	return flusher.Exit{}, false
}
