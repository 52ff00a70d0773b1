package explore

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/buffer"
	"sluice/consumer"
	"sluice/flusher"
	"sluice/internal/defects"
)

// supervising is a supervisor, whose keepers are tasks of one process.
type supervising struct{ sys *system }

// budget is how many restarts each worker may have: few enough for two faults to use it up.
const budget = 1

// unhealthy is how old the beat of a worker is that hangs.
const unhealthy = time.Hour

// child names a worker that was started: its index, as the shard that has its number, and its start.
type child struct {
	Worker buffer.Shard
	Start  int
}

// vital is what is seen of a child.
type vital struct {
	Child         child
	Up, Hung, End bool
	// Late is in how many looks it was one that hangs while it starts, lateLooks at the most.
	Late int
}

// view is what a keeper sees of its worker's children when it looks.
type view []vital

// What a supervisor asks for and hands over.
type (
	// nap is a pause before the next look, of a keeper by its worker, or of the supervisor's own loop.
	nap struct{ Worker buffer.Shard }
	// spawn starts a child with shards, under their epochs.
	spawn struct {
		Child  child
		Shards []buffer.Shard
		Epochs []buffer.Epoch
	}
	// kill ends a child by force; finish asks it to.
	kill   struct{ Child child }
	finish struct{ Child child }
)

// nobody is the worker of the supervisor's own loop.
const nobody buffer.Shard = -1

func (v supervising) main(l *life) {
	cfg := flusher.DefaultConfig()
	cfg.Processes, cfg.RestartBudget, cfg.RestartBackoff = v.sys.size.Workers, v.sys.restarts, 0
	cfg.BackpressureAfter, cfg.MaxUnhealthy, cfg.CheckEvery = math.MaxInt64, unhealthy/2, unhealthy/2
	cfg.StopTimeout, cfg.ShutdownTimeout = flusher.NoTimeout, flusher.NoTimeout
	ports := consumer.Ports{Clock: looking{l}, Spawner: spawner{l}, Store: ported{life: l}}
	planted, settings := defects.Planted{Defect: v.sys.defect}, consumer.Settings{Flusher: cfg}
	planted.Settings(&settings)
	planted.Consumer(&ports, l.process.Kill)
	if v.sys.defect.Name != "" {
		started := &handles{Spawner: ports.Spawner}
		ports.Spawner = started
		l.planted = []any{ports.Clock, ports.Store, started}
	}
	supervisor, err := flusher.NewSupervisor(settings.Flusher, flusher.SupervisorPorts{
		Clock: ports.Clock, Tasks: l, Spawner: ports.Spawner, Store: ports.Store,
	})
	if err != nil {
		panic(err) // the config is this package's own
	}
	l.sharing = func() any { return shared(supervisor.Workers()) }
	l.noticed = func() bool {
		return slices.ContainsFunc(supervisor.Workers(), func(w flusher.WorkerState) bool {
			return w.State == flusher.StateHung
		})
	}
	l.watching = func(worker buffer.Shard) bool {
		return worker != nobody && supervisor.Workers()[worker].State == flusher.StateHealthy
	}
	shards := make([]buffer.Shard, v.sys.size.shards())
	for i := range shards {
		shards[i] = buffer.Shard(i)
	}
	supervisor.Assign(shards)
	stop, cancel := l.k.WithCancel(context.Background())
	defer cancel()
	l.err = supervisor.Run(stop)
}

// shared returns what keepers share, by worker; why workers failed decides nothing.
func shared(workers []flusher.WorkerState) map[buffer.Shard]flusher.WorkerState {
	all := make(map[buffer.Shard]flusher.WorkerState, len(workers))
	for _, w := range workers {
		index := buffer.Shard(w.Worker)
		w.Worker, w.Causes, w.Totals = 0, nil, flusher.Totals{}
		all[index] = w
	}
	return all
}

// memory: the tasks share what the supervisor knows, and each remembers what it asked for and was
// answered; in which order those of different tasks took turns shows in what they ask for next. What a
// keeper has last seen of its child says whether another look can change anything.
func (v supervising) memory(l *life) (any, bool) {
	m := supervisorMemory{Shared: l.sharing(), Tasks: make(map[taskKey]taskMemory), Views: l.views,
		Planted: l.planted}
	for _, c := range l.calls {
		key := taskKey{Worker: taskOf(c.task)}
		key.Name, _, _ = strings.Cut(c.task, "keeper ")
		for _, taken := m.Tasks[key]; taken; _, taken = m.Tasks[key] {
			key.Nth++
		}
		m.Tasks[key] = taskMemory{c.op, c.version < l.version, l.history[c.task]}
	}
	return m, true
}

type supervisorMemory struct {
	Shared any
	Tasks  map[taskKey]taskMemory
	Views  map[child]vital

	Planted []any
}

// taskKey names a task of a keeper, of several with one name the nth that asks for something.
type taskKey struct {
	Name   string
	Worker buffer.Shard
	Nth    int
}

type taskMemory struct {
	Op      any
	Stirred bool
	History []any
}

func (v supervising) eager(*life, *call) (answer, bool) { return answer{}, false }

// taskOf returns the worker of "process/keeper 1".
func taskOf(task string) buffer.Shard {
	if _, n, ok := strings.Cut(task, "keeper "); ok {
		if worker, err := strconv.Atoi(n); err == nil {
			return buffer.Shard(worker)
		}
	}
	return nobody
}

// looking is the clock of a supervisor: after each pause it sees what has become of the children. For a
// keeper whose child hangs while it starts time passes, and for no other: a start may take long.
type looking struct{ *life }

// A child that hangs while it starts has taken too long at the second look; a gap between two looks that
// is longer than this is one in which the supervisor itself was frozen.
const (
	lateLooks = 2
	lateLook  = unhealthy/2 + time.Minute
)

// Now returns the time of the keeper that asks.
func (c looking) Now() time.Time {
	return c.clock.Add(time.Duration(c.late[taskOf(c.k.Running())]) * lateLook)
}

// Sleep waits until it is worth a look.
func (c looking) Sleep(ctx context.Context, _ time.Duration) error {
	worker := taskOf(c.k.Running())
	seen, err := ask[view](ctx, c.life, nap{worker})
	if err != nil {
		return err
	}
	for _, v := range seen {
		if v.Late > 0 {
			v.Late = min(v.Late, c.views[v.Child].Late+1)
			c.late[worker]++
		}
		c.views[v.Child] = v
	}
	return nil
}

// spawner starts children of which the search decides what becomes.
type spawner struct{ *life }

// Start implements flusher.Spawner.
func (s spawner) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	op := spawn{Child: child{buffer.Shard(spec.Worker), spec.Start}}
	for _, owner := range spec.Owners {
		op.Shards, op.Epochs = append(op.Shards, owner.Owner.Shard), append(op.Epochs, owner.Owner.Epoch)
	}
	if _, err := s.ask(ctx, op); err != nil {
		return nil, err
	}
	maps.DeleteFunc(s.views, func(c child, _ vital) bool { return c.Worker == op.Child.Worker })
	return handle{s.life, op.Child}, nil
}

// handles keeps what a defect has put around those of children, which may remember something, too.
type handles struct {
	flusher.Spawner
	Started map[child]flusher.Handle
}

// Start notes the handle.
func (h *handles) Start(ctx context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	started, err := h.Spawner.Start(ctx, spec)
	if err == nil {
		if h.Started == nil {
			h.Started = make(map[child]flusher.Handle)
		}
		h.Started[child{buffer.Shard(spec.Worker), spec.Start}] = started
	}
	return started, err
}

type handle struct {
	*life
	child child
}

// Status implements flusher.Handle.
func (h handle) Status() (flusher.Status, time.Time) {
	now := looking{h.life}.Now()
	switch seen := h.views[h.child]; {
	case seen.Hung:
		return flusher.Status{Stage: flusher.StageIdle}, now.Add(-unhealthy)
	case seen.Up:
		return flusher.Status{Stage: flusher.StageIdle}, now
	}
	return flusher.Status{}, now
}

// Exited implements flusher.Handle.
func (h handle) Exited() (flusher.Exit, bool) {
	return flusher.Exit{Code: 1}, h.views[h.child].End
}

// Kill implements flusher.Handle.
func (h handle) Kill() { h.sent = append(h.sent, kill{h.child}) }

// Stop implements flusher.Handle.
func (h handle) Stop() { h.sent = append(h.sent, finish{h.child}) }

// CanKill implements flusher.Handle.
func (handle) CanKill() bool { return true }

// DrainFresh implements flusher.Handle.
func (handle) DrainFresh() []time.Duration { return nil }
