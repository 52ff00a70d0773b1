package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/buffer/codec"
	core "sluice/consumer"
	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/journal"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// spawner starts the workers of one life of a consumer, each as a child process.
type spawner struct {
	*System
	consumer int // by index
	parent   *kernel.Process
	settings core.Settings
	planted  defects.Planted
	workers  []*worker // that were started, in order
	over     bool      // all were killed: none is started after that
}

var _ flusher.Spawner = (*spawner)(nil)

// worker is a worker process. It is the flusher.Handle of its parent, and its own Reporter.
type worker struct {
	*System
	spec    flusher.WorkerSpec
	who     journal.Who
	number  int
	process *kernel.Process
	canKill bool
	ctx     context.Context
	kill    context.CancelFunc // of a goroutine
	stop    context.CancelFunc

	status flusher.Status
	at     time.Time
	fresh  []time.Duration
	over   bool
	exit   flusher.Exit
}

var (
	_ flusher.Handle   = (*worker)(nil)
	_ flusher.Reporter = (*worker)(nil)
)

// workerThreads is how many threads of a worker's process compute at a time, as in the other worlds by
// default.
const workerThreads = 1

// Start implements flusher.Spawner.
func (s *spawner) Start(_ context.Context, spec flusher.WorkerSpec) (flusher.Handle, error) {
	if s.over {
		return nil, errors.New("sim: every worker was killed")
	}
	s.System.numbers++
	w := &worker{System: s.System, spec: spec, number: s.System.numbers, at: s.Now(),
		canKill: s.separate(), who: journal.Who{Consumer: s.consumer, Worker: spec.Worker}}
	w.process = s.parent.Process(fmt.Sprintf("worker %d.%d", spec.Worker, spec.Start))
	breach := s.breachOf(fmt.Sprintf("worker %d of consumer %d", spec.Worker, s.consumer))
	s.epochs.begin(spec.Owners, breach)
	var stop context.Context
	w.ctx, w.kill = s.WithCancel(context.Background())
	stop, w.stop = s.WithCancel(w.ctx)
	s.workers = append(s.workers, w)
	s.count(s.consumer, s.live())
	planted := s.planted
	if spec.Start > 1 {
		planted = planted.Again()
	}
	w.process.Go("worker", func() {
		_ = s.Sleep(w.ctx, s.costs.Program.Start)
		costs := s.costs.Worker
		cpu := &processor{k: s.Kernel, on: s.on.pipeline.Share("worker", workerThreads), used: &s.on.workers}
		if costs.Idle > 0 {
			w.process.Go("idles", func() { idles(s.Kernel, costs.Idle, cpu.compute) })
		}
		ports := flusher.WorkerPorts{
			Clock: s.Kernel,
			Tasks: w.process,
			Store: client{redis: s.redis, who: w.who, journal: s.setup.Sink.Journal,
				conns: s.redis.connect(), answerMax: s.settings.AnswerMax(),
				cpu: cpu, perCall: costs.Call, load: costs.Flush, kb: costs.FlushKB},
			Producer: s.kafka.newProducer(w.process, cpu, costs.Record),
			Encoder:  codec.New(s.settings.Options.MaxSegmentBytes),
			Reporter: w,
		}
		var memory *records
		if !planted.Any() { // what is planted may keep a record that was acknowledged
			memory = &records{}
			ports.Encoder = codec.New(s.settings.Options.MaxSegmentBytes).In(memory.room)
		}
		planted.Worker(&ports, w.process.Kill)
		contract := newWorkerContract(ports.Store, breach)
		ports.Store = contract
		ports.Producer = &producerContract{ports.Producer,
			func() []buffer.Shard { return w.status.Lost }, breach, memory}
		err := flusher.RunWorker(w.ctx, stop, s.settings.Worker, ports, spec)
		if !s.Alive() {
			return
		}
		if err == nil {
			contract.ended(w.status.Lost)
		}
		w.over = true
		if err != nil {
			w.exit = flusher.Exit{Code: 1, Err: err}
		}
		w.process.Kill()
	})
	return w, nil
}

// Report implements flusher.Reporter.
func (w *worker) Report(status flusher.Status) {
	if !w.Alive() {
		return
	}
	begins := status.Stage != w.status.Stage
	w.status, w.at = status, w.Now()
	w.setup.Sink.Journal.Stage(w.at, w.who, status.Stage.String())
	if begins && w.setup.Sink.Staged(w.who.Consumer, w.who.Worker, status.Stage.String()) {
		_ = w.Sleep(w.ctx, time.Nanosecond) // what is begun now comes first
	}
}

// Fresh implements flusher.Reporter.
func (w *worker) Fresh(samples []time.Duration) {
	if w.Alive() {
		w.fresh = append(w.fresh, samples...)
	}
}

// Status implements flusher.Handle.
func (w *worker) Status() (flusher.Status, time.Time) { return w.status, w.at }

// DrainFresh implements flusher.Handle.
func (w *worker) DrainFresh() []time.Duration {
	fresh := w.fresh
	w.fresh = nil
	return fresh
}

// Stop implements flusher.Handle.
func (w *worker) Stop() { w.stop() }

// Kill implements flusher.Handle.
func (w *worker) Kill() {
	if !w.canKill {
		w.kill()
		return
	}
	w.process.Kill()
}

// CanKill implements flusher.Handle.
func (w *worker) CanKill() bool { return w.canKill }

// Exited implements flusher.Handle.
func (w *worker) Exited() (flusher.Exit, bool) {
	switch {
	case !w.process.Dead():
		return flusher.Exit{}, false
	case w.over:
		return w.exit, true
	}
	return flusher.Exit{Code: -1, Signal: "SIGKILL"}, true
}

// do does something to a worker process.
func (s *spawner) do(act harness.Act, number int) error {
	for _, w := range s.workers {
		if w.number != number || w.process.Dead() {
			continue
		}
		switch act {
		case harness.ActKill:
			w.process.Kill()
		case harness.ActFreeze:
			w.process.Freeze()
		case harness.ActWake:
			if !w.process.Frozen() {
				return harness.ErrBusy
			}
			w.process.Wake()
		default:
			return fmt.Errorf("nobody can %v a worker", act)
		}
		return nil
	}
	return harness.ErrBusy
}

// numbers are those of the processes that run, by worker; of two the youngest's.
func (s *spawner) numbers() map[int]int {
	numbers := map[int]int{}
	for _, w := range s.workers {
		if !w.process.Dead() && w.canKill {
			numbers[w.spec.Worker] = w.number
		}
	}
	return numbers
}

// statuses are what the workers are doing, which the supervisor will hear of soon.
func (s *spawner) statuses(states []flusher.WorkerState) []flusher.WorkerState {
	for _, w := range s.workers {
		if !w.process.Dead() && w.spec.Worker < len(states) {
			states[w.spec.Worker].Status = w.status
		}
	}
	return states
}

// each does something with every process that runs.
func (s *spawner) each(do func(*kernel.Process)) {
	for _, w := range s.workers {
		if !w.process.Dead() {
			do(w.process)
		}
	}
}

func (s *spawner) killAll() {
	s.over = true
	s.each((*kernel.Process).Kill)
}

// live counts the processes that run, of which goroutines have none.
func (s *spawner) live() (n int) {
	s.each(func(p *kernel.Process) {
		if s.separate() {
			n++
		}
	})
	return n
}

// loose counts those of them that could end.
func (s *spawner) loose() (n int) {
	s.each(func(p *kernel.Process) {
		if s.separate() && !p.Frozen() {
			n++
		}
	})
	return n
}

// separate tells whether workers are processes of their own.
func (s *spawner) separate() bool {
	return s.setup.Scenario.Topology.FlusherMode != scenarios.ModeGoroutine
}
