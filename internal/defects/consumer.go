package defects

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
)

var (
	pressureEveryone = Defect{
		Name:       "pressure-everyone",
		Wrong:      "one worker that lags stops the input of all shards",
		Caught:     "backpressure",
		Shown:      "slow-start",
		Unexplored: byPressure,
		Changes: []string{
			"workload.rate=constant 300/s",
			"faults=[at 2s slow-start worker 1 by 5s for 10s, at 3s crash worker 1]",
		},
		consumer: func(p *consumer.Ports) {
			p.Source = &stopper{Source: p.Source, paused: map[int32]bool{}}
		},
	}
	emptyShards = Defect{
		Name:       "empty-shards",
		Wrong:      "shards that come back in a rebalance get no workers, and nobody says so",
		Caught:     "shard coverage",
		Shown:      "rebalance",
		Unexplored: "no reader there gets back what it has lost",
		Changes:    []string{"expectations.drain_max=20s", "workload.rate=constant 400/s"},
		consumer: func(p *consumer.Ports) {
			p.Source = &deaf{Source: p.Source}
		},
	}
	silentGap = Defect{
		Name:       "silent-gap",
		Wrong:      "messages that the log has lost meanwhile are skipped without a word",
		Caught:     "conservation",
		Shown:      "retention",
		Unexplored: "no message there is deleted before it is read",
		Changes: []string{"workload.rate=constant 300/s", "workload.traces_at_once=10",
			"workload.disorder=0"},
		consumer: func(p *consumer.Ports) { p.Source = mute{p.Source} },
	}
	doubleCount = Defect{
		Name:       "double-count",
		Wrong:      "a span that is delivered again is counted again: the size limit bites early",
		Caught:     "segment integrity",
		Shown:      "duplicates",
		Unexplored: bySize,
		Changes: []string{
			"workload.duplicates=0.5", "workload.spans_per_trace=20", "workload.span_bytes=500",
			"pipeline.max_segment_bytes=12KB", "duration=4s", "workload.rate=constant 400/s",
		},
		consumer: func(p *consumer.Ports) {
			p.Store = &counting{Store: p.Store, seen: map[buffer.SpanID]bool{},
				extra: map[buffer.TraceKey]int{}}
		},
	}
	meanMemory = Defect{
		Name:       "mean-memory",
		Wrong:      "memory is averaged over nodes: a full one beside empty ones goes unnoticed",
		Caught:     "backpressure",
		Shown:      "redis-full",
		Unexplored: byPressure,
		Changes: []string{
			"workload.rate=constant 300/s",
			"pipeline.max_memory=80%",
		},
		consumer: func(p *consumer.Ports) { p.Memory = averaged{p.Memory} },
	}
	blockedLog = Defect{
		Name:       "blocked-log",
		Wrong:      "whoever writes a warning waits for the reader of the log, who has stalled",
		Caught:     "liveness",
		Shown:      "hang",
		Unexplored: byTime,
		Changes: []string{
			"faults=[at 4s hang worker 1]", "duration=8s", "expectations.drain_max=20s",
			"workload.rate=constant 400/s",
		},
		consumer: func(p *consumer.Ports) {
			tell := p.Events
			p.Events = func(e flusher.Event) {
				tell(e)
				if e.Level() >= slog.LevelWarn {
					_ = p.Clock.Sleep(context.Background(), stalled) // it has no end but this
				}
			}
		},
	}
	healthOnSubmit = Defect{
		Name:       "health-on-submit",
		Wrong:      "workers are looked at when input arrives: one that dies on an idle input is not missed",
		Caught:     "shard coverage",
		Shown:      "kafka-down",
		Unexplored: byTime,
		Changes: []string{
			"faults=[at 2s stop kafka for 4s, at 3s crash worker 1]", "duration=8s",
			"workload.rate=constant 400/s", "expectations.worker_restarts_max=1", "workload.disorder=0",
		},
		consumer: func(p *consumer.Ports) {
			w := &watch{clock: p.Clock}
			p.Source, p.Spawner = heard{p.Source, w}, lazy{p.Spawner, w}
		},
	}
	serialRestart = Defect{
		Name:       "serial-restart",
		Wrong:      "while a worker starts, nobody looks after the others",
		Caught:     "shard coverage",
		Shown:      "slow-start",
		Unexplored: byTime,
		Changes: []string{
			"workload.rate=constant 300/s",
			"faults=[at 2s slow-start worker 1 by 5s for 10s, at 3s crash worker 1, at 4s crash worker 2]",
			"pipeline.max_unhealthy=4s", "pipeline.timeout=12s", "pipeline.root_timeout=10s",
		},
		consumer: func(p *consumer.Ports) {
			w := &watch{clock: p.Clock}
			p.Spawner = serial{lazy{p.Spawner, w}}
		},
	}
)

// stopper is a Source that pauses everything if it is to pause anything.
type stopper struct {
	flusher.Source
	assigned []int32
	paused   map[int32]bool
}

// Poll takes note of the assignment.
func (s *stopper) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	fetch, err := s.Source.Poll(ctx, limit, wait)
	for _, p := range append(fetch.Revoked, fetch.Lost...) {
		delete(s.paused, p)
		s.assigned = slices.DeleteFunc(s.assigned, func(q int32) bool { return q == p })
	}
	s.assigned = append(s.assigned, fetch.Assigned...)
	return fetch, err
}

// Pause pauses all partitions.
func (s *stopper) Pause(partitions ...int32) {
	for _, p := range partitions {
		s.paused[p] = true
	}
	s.Source.Pause(s.assigned...)
}

// Resume resumes all when none is to pause any more.
func (s *stopper) Resume(partitions ...int32) {
	for _, p := range partitions {
		delete(s.paused, p)
	}
	if len(s.paused) == 0 {
		s.Source.Resume(s.assigned...)
	}
}

// deaf is a Source that hears of its first assignment only.
type deaf struct {
	flusher.Source
	over bool
}

// Poll leaves out what is assigned later.
func (d *deaf) Poll(
	ctx context.Context, limit int, wait time.Duration,
) (flusher.Fetch, error) {
	fetch, err := d.Source.Poll(ctx, limit, wait)
	if d.over = d.over || len(fetch.Revoked)+len(fetch.Lost) > 0; d.over {
		fetch.Assigned = nil
	}
	return fetch, err
}

// mute is a Source that does not say what it has missed.
type mute struct{ flusher.Source }

// Poll goes on behind a gap as if nothing were missing.
func (m mute) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	fetch, err := m.Source.Poll(ctx, limit, wait)
	fetch.Gaps = nil
	return fetch, err
}

// counting is a Store that counts repeats: with the next new span of their trace.
type counting struct {
	buffer.Store

	mu    sync.Mutex // batches of several partitions are in work at once
	seen  map[buffer.SpanID]bool
	extra map[buffer.TraceKey]int // bytes that were counted twice
}

// Attach counts what is there already.
func (c *counting) Attach(
	ctx context.Context, delivery buffer.Delivery, traces []buffer.TraceBatch,
) ([]buffer.Attached, error) {
	c.mu.Lock()
	for _, trace := range traces {
		for _, subtree := range trace.Subtrees {
			for i := range subtree.Spans {
				span := &subtree.Spans[i]
				if c.seen[span.ID] {
					c.extra[trace.TraceKey] += span.Size
					continue
				}
				c.seen[span.ID] = true
				span.Size += c.extra[trace.TraceKey]
				delete(c.extra, trace.TraceKey)
			}
		}
	}
	c.mu.Unlock()
	return c.Store.Attach(ctx, delivery, traces)
}

// averaged is a MemoryMeter that returns the mean. Two empty nodes stand beside one that is alone.
type averaged struct{ flusher.MemoryMeter }

// Memory makes one node of all.
func (a averaged) Memory(ctx context.Context) ([]buffer.NodeMemory, error) {
	nodes, err := a.MemoryMeter.Memory(ctx)
	if err != nil {
		return nil, err
	}
	mean := buffer.NodeMemory{Node: "mean"}
	for _, node := range nodes {
		mean.Used, mean.Max = mean.Used+node.Used, mean.Max+node.Max
	}
	if len(nodes) == 1 {
		mean.Max *= 3
	}
	return []buffer.NodeMemory{mean}, nil
}

// stalled is how long nobody reads the log.
const stalled = time.Hour

// watch tells whether workers are looked at.
type watch struct {
	clock flusher.Clock

	mu       sync.Mutex
	input    time.Time      // when messages came last; zero before the first
	starting flusher.Handle // of the worker that is waited for, or nil
}

// inputMax is how long after its last message an input is idle.
const inputMax = 300 * time.Millisecond

// away tells whether nobody looks at a worker.
func (w *watch) away(h flusher.Handle) bool {
	now := w.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.input.IsZero() {
		return now.Sub(w.input) > inputMax
	}
	return w.starting != nil && w.starting != h
}

// heard is a Source that says when messages come.
type heard struct {
	flusher.Source
	*watch
}

// Poll takes note.
func (h heard) Poll(ctx context.Context, limit int, wait time.Duration) (flusher.Fetch, error) {
	fetch, err := h.Source.Poll(ctx, limit, wait)
	if len(fetch.Batches) > 0 {
		now := h.clock.Now()
		h.mu.Lock()
		h.input = now
		h.mu.Unlock()
	}
	return fetch, err
}

// lazy is a Spawner whose workers are taken for well while nobody looks.
type lazy struct {
	flusher.Spawner
	*watch
}

// Start starts a worker.
func (l lazy) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	h, err := l.Spawner.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	return &unseen{Handle: h, watch: l.watch}, nil
}

// unseen is a worker that is looked at now and then. It belongs to one keeper.
type unseen struct {
	flusher.Handle
	*watch
	asked  bool // to end: then it is waited for
	status flusher.Status
	exit   flusher.Exit
	exited bool
}

// Stop asks it to end.
func (u *unseen) Stop() {
	u.asked = true
	u.Handle.Stop()
}

// Kill ends it.
func (u *unseen) Kill() {
	u.asked = true
	u.Handle.Kill()
}

// Status is what was seen last, as if it were new.
func (u *unseen) Status() (flusher.Status, time.Time) {
	if !u.asked && u.away(u) {
		return u.status, u.clock.Now()
	}
	status, at := u.Handle.Status()
	u.status = status
	return status, at
}

// Exited is what was seen last.
func (u *unseen) Exited() (flusher.Exit, bool) {
	if u.asked || !u.away(u) {
		u.exit, u.exited = u.Handle.Exited()
	}
	return u.exit, u.exited
}

// serial is a Spawner that waits for each worker which takes the place of another.
type serial struct{ lazy }

// Start begins to wait.
func (s serial) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	h, err := s.lazy.Start(ctx, spec)
	if err != nil {
		return nil, err
	}
	awaited := &awaited{h.(*unseen)}
	if spec.Start > 1 {
		s.mu.Lock()
		s.starting = awaited.unseen
		s.mu.Unlock()
	}
	return awaited, nil
}

type awaited struct{ *unseen }

// Status ends the wait when the worker is up.
func (a *awaited) Status() (flusher.Status, time.Time) {
	status, at := a.unseen.Status()
	if _, exited := a.Handle.Exited(); exited || status.Stage != flusher.StageStarting {
		a.mu.Lock()
		if a.starting == a.unseen {
			a.starting = nil
		}
		a.mu.Unlock()
	}
	return status, at
}
