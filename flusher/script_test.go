package flusher_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/wallclock"
)

const never = 1000 * time.Hour

// script is how one scripted worker behaves, in times since its start. The zero script is healthy
// at once, beats for ever, and ends as soon as it is told to.
type script struct {
	refuse  error         // it cannot be started
	waits   time.Duration // until when it says that it waits for a server
	healthy time.Duration // when it first reports a cycle
	beats   time.Duration // when it stops beating (0: never)
	dies    time.Duration // when it ends by itself (0: never)
	exit    flusher.Exit
	// drains and falls are how long it takes to end after Stop and after Kill.
	drains, falls time.Duration
	cannotKill    bool
	// full is from when to when it is under backpressure.
	full [2]time.Duration
	// next is when another of its shards is the one that is so the longest (0: never).
	next time.Duration
	lost []buffer.Shard
	// loses is when it loses those.
	loses time.Duration
	// setBack is true if that is because the store has lost data.
	setBack bool
	// quiet is from when to when none of its reports arrives.
	quiet [2]time.Duration
	// late makes it tell its freshness once, when it has ended.
	late bool
	// ends is when a test may let it die that wants everybody to.
	ends time.Duration
}

// puppet is a worker that follows a script: what it is at any moment follows from the time alone.
type puppet struct {
	script
	spec flusher.WorkerSpec

	mu              sync.Mutex
	begun           time.Time
	stopped, killed time.Time
	told            bool // freshness
}

func (p *puppet) Status() (flusher.Status, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	age := now.Sub(p.begun)
	if age < p.waits {
		return flusher.Status{Troubles: []flusher.TroubleState{{Step: "connection to redis"}}}, now
	}
	if age < p.healthy {
		return flusher.Status{}, p.begun.Add(p.waits)
	}
	beat := now
	if p.beats > 0 && age > p.beats {
		beat = p.begun.Add(p.beats)
	}
	if p.quiet[1] > 0 && age >= p.quiet[0] && age <= p.quiet[1] {
		beat = p.begun.Add(p.quiet[0])
	}
	if end, ended := p.end(); ended && beat.After(end) {
		beat = end
	}
	status := flusher.Status{Stage: flusher.StageIdle, Beats: uint64(beat.Sub(p.begun)) + 1,
		Totals: flusher.Totals{Spans: 5}}
	if beat.Sub(p.begun) >= p.loses {
		status.Lost, status.SetBack = p.lost, p.setBack
	}
	if age := beat.Sub(p.begun); p.full[1] > 0 && age >= p.full[0] && age < p.full[1] {
		since := p.full[0]
		if p.next > 0 && age >= p.next {
			since = p.next
		}
		status.BackpressureSince = p.begun.Add(since)
	}
	return status, beat
}

// end returns when the worker ends, if anything so far makes it end.
func (p *puppet) end() (time.Time, bool) {
	var ends []time.Time
	if p.dies > 0 {
		ends = append(ends, p.begun.Add(p.dies))
	}
	if !p.stopped.IsZero() {
		ends = append(ends, p.stopped.Add(p.drains))
	}
	if !p.killed.IsZero() {
		ends = append(ends, p.killed.Add(p.falls))
	}
	if len(ends) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(ends, time.Time.Compare), true
}

func (p *puppet) Exited() (flusher.Exit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	end, ends := p.end()
	if !ends || time.Now().Before(end) {
		return flusher.Exit{}, false
	}
	switch {
	case p.dies > 0 && !end.Before(p.begun.Add(p.dies)):
		return p.exit, true
	case !p.killed.IsZero() && !end.Before(p.killed.Add(p.falls)):
		return flusher.Exit{Code: -1, Signal: "killed"}, true
	}
	return flusher.Exit{}, true
}

func (p *puppet) Stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopped = time.Now()
}

func (p *puppet) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killed = time.Now()
}

func (p *puppet) CanKill() bool { return !p.cannotKill }

func (p *puppet) DrainFresh() []time.Duration {
	if _, exited := p.Exited(); p.late && (!exited || p.told) {
		return nil
	}
	p.told = true
	return []time.Duration{time.Second}
}

// wasStopped and wasKilled tell whether the worker was told to end.
func (p *puppet) wasStopped() bool { p.mu.Lock(); defer p.mu.Unlock(); return !p.stopped.IsZero() }
func (p *puppet) wasKilled() bool  { p.mu.Lock(); defer p.mu.Unlock(); return !p.killed.IsZero() }

// theatre is a spawner of puppets, and a store that only fences. It notes whatever must not be.
type theatre struct {
	limit    int // of workers alive
	scripts  func(spec flusher.WorkerSpec) script
	fenceErr func() error

	mu         sync.Mutex
	puppets    []*puppet
	epochs     map[buffer.Shard]buffer.Epoch
	violations []string
	events     []flusher.Event
	fresh      int
}

func (th *theatre) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	p := &puppet{script: th.scripts(spec), spec: spec, begun: time.Now()}
	if p.refuse != nil {
		return nil, p.refuse
	}
	th.mu.Lock()
	defer th.mu.Unlock()
	alive := 1
	for _, other := range th.puppets {
		if _, exited := other.Exited(); exited || other.cannotKill {
			continue
		}
		alive++
		for _, fenced := range spec.Owners {
			if slices.Contains(shardsOf(other.spec), fenced.Owner.Shard) {
				th.violate("worker %d.%d starts on shard %d beside worker %d.%d", spec.Worker,
					spec.Start, fenced.Owner.Shard, other.spec.Worker, other.spec.Start)
			}
		}
	}
	if alive > th.limit {
		th.violate("%d workers alive, limit %d", alive, th.limit)
	}
	for _, fenced := range spec.Owners {
		if fenced.Owner.Epoch != th.epochs[fenced.Owner.Shard] {
			th.violate("worker %d starts on shard %d under epoch %d of %d", spec.Worker,
				fenced.Owner.Shard, fenced.Owner.Epoch, th.epochs[fenced.Owner.Shard])
		}
	}
	th.puppets = append(th.puppets, p)
	return p, nil
}

func (th *theatre) violate(format string, args ...any) {
	th.violations = append(th.violations, fmt.Sprintf(format, args...))
}

func (th *theatre) Fence(
	_ context.Context, shard buffer.Shard, last buffer.Epoch,
) (buffer.Fenced, error) {
	th.mu.Lock()
	defer th.mu.Unlock()
	if th.fenceErr != nil {
		if err := th.fenceErr(); err != nil {
			return buffer.Fenced{}, err
		}
	}
	if last != buffer.AnyEpoch && last != th.epochs[shard] {
		return buffer.Fenced{}, buffer.ErrStale
	}
	th.epochs[shard]++
	return buffer.Fenced{Owner: buffer.Owner{Shard: shard, Epoch: th.epochs[shard]}}, nil
}

func (th *theatre) hear(e flusher.Event) {
	th.mu.Lock()
	defer th.mu.Unlock()
	th.events = append(th.events, e)
}

// alive returns the workers that have not ended, by index and start.
func (th *theatre) alive() []*puppet {
	th.mu.Lock()
	defer th.mu.Unlock()
	var alive []*puppet
	for _, p := range th.puppets {
		if _, exited := p.Exited(); !exited {
			alive = append(alive, p)
		}
	}
	return alive
}

// last returns the last worker that was started with that index.
func (th *theatre) last(worker int) *puppet {
	th.mu.Lock()
	defer th.mu.Unlock()
	for _, p := range slices.Backward(th.puppets) {
		if p.spec.Worker == worker {
			return p
		}
	}
	return nil
}

// story returns the kinds of a worker's events, in order, without the gate's.
func (th *theatre) story(worker int) string {
	th.mu.Lock()
	defer th.mu.Unlock()
	var kinds []string
	for _, e := range th.events {
		if e.Worker == worker && e.Kind != flusher.EventGateClosed && e.Kind != flusher.EventGateOpened {
			kinds = append(kinds, e.Kind.String())
		}
	}
	return strings.Join(kinds, ", ")
}

// of returns the events of these kinds.
func (th *theatre) of(kinds ...flusher.EventKind) []flusher.Event {
	th.mu.Lock()
	defer th.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(th.events), func(e flusher.Event) bool {
		return !slices.Contains(kinds, e.Kind)
	})
}

func shardsOf(spec flusher.WorkerSpec) []buffer.Shard {
	shards := make([]buffer.Shard, len(spec.Owners))
	for i, fenced := range spec.Owners {
		shards[i] = fenced.Owner.Shard
	}
	return shards
}

// stage is a supervisor over a theatre.
type stage struct {
	*theatre
	t   testing.TB
	cfg flusher.Config
	sup *flusher.Supervisor

	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

var errDeath = errors.New("boom")

func newStage(t testing.TB, processes int) *stage {
	cfg := flusher.DefaultConfig()
	cfg.Processes = processes
	return &stage{
		t: t, cfg: cfg, done: make(chan struct{}),
		theatre: &theatre{
			limit: processes, epochs: make(map[buffer.Shard]buffer.Epoch),
			scripts: func(flusher.WorkerSpec) script { return script{} },
		},
	}
}

// run starts the supervisor with shards 0 to n-1.
func (s *stage) run(n int) {
	s.t.Helper()
	s.runWith(flusher.SupervisorPorts{})
	s.sup.Assign(shardRange(n))
}

func (s *stage) runWith(ports flusher.SupervisorPorts) {
	s.t.Helper()
	if ports.Clock == nil {
		ports.Clock = wallclock.Clock{}
	}
	ports.Tasks, ports.Spawner, ports.Store = wallclock.Tasks{}, s, s
	ports.Events = s.hear
	ports.Fresh = func(_ int, samples []time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fresh += len(samples)
	}
	sup, err := flusher.NewSupervisor(s.cfg, ports)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sup = sup
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer close(s.done)
		s.err = sup.Run(ctx)
	}()
}

func shardRange(n int) []buffer.Shard {
	shards := make([]buffer.Shard, n)
	for i := range shards {
		shards[i] = buffer.Shard(i)
	}
	return shards
}

// end cancels the supervisor, waits for it and returns its error, having checked what must hold in
// every case.
func (s *stage) end() error {
	s.t.Helper()
	s.cancel()
	return s.join()
}

// join is end without the cancelling.
func (s *stage) join() error {
	s.t.Helper()
	<-s.done
	s.cancel()
	for _, p := range s.alive() {
		if !p.cannotKill {
			s.t.Errorf("worker %d.%d outlives the supervisor", p.spec.Worker, p.spec.Start)
		}
	}
	for _, violation := range s.violations {
		s.t.Error(violation)
	}
	return s.err
}

// healthy tells whether all workers are, and nothing else runs.
func (s *stage) healthy(workers int) func() bool {
	return func() bool {
		n := 0
		for _, w := range s.sup.Workers() {
			if w.State == flusher.StateHealthy {
				n++
			} else if w.State != flusher.StateStopped {
				return false
			}
		}
		return n == workers
	}
}
