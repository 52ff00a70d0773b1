package wall

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	core "sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/defects"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/pipeline"
	"sluice/internal/process"
	consumerprocess "sluice/internal/process/consumer"
	"sluice/reports"
)

// fleet is the consumers of a run. The first is there from its begin to its end, but for the faults
// that end it; another joins for a rebalance.
type fleet struct {
	config  pipeline.Config
	mark    string
	planted defects.Planted
	log     *slog.Logger
	sink    *harness.Sink

	mu        sync.Mutex
	consumers []*consumer
	still     bool // their host stands still

	scanning sync.Mutex
	scanner  *process.Scanner
}

// newFleet returns the consumers of a run, of which none is started yet. The mark is no other run's.
func newFleet(c pipeline.Config, setup harness.Setup) *fleet {
	mark := "SIMULATION=" + c.Group
	return &fleet{config: c, mark: mark, planted: setup.Planted, log: setup.Log, sink: setup.Sink,
		scanner: process.NewScanner(mark)}
}

// processes returns all that the run started and that have not ended, consumers and workers, by
// asking the operating system: so it also sees one that everybody has lost track of. ok is false on
// a system that cannot be asked.
func (f *fleet) processes() (list []process.Info, ok bool) {
	f.scanning.Lock()
	defer f.scanning.Unlock()
	return f.scanner.Scan()
}

// consumer is one member of the group, over all its lives.
type consumer struct {
	index int
	// life counts its starts, from 1; 0 before the first.
	life     int
	instance *consumerprocess.Process // of the last life
	// starting is true while its next life begins.
	starting bool
	frozen   bool
	// asked is true once somebody ended this life, or asked it to end.
	asked bool
	// over is closed when the end of this life was told.
	over chan struct{}
}

func (c *consumer) up() bool { return c.instance != nil && !ended(c.instance) }

func ended(i *consumerprocess.Process) bool {
	select {
	case <-i.Done():
		return true
	default:
		return false
	}
}

// start starts a life of a consumer, the next one of those there are or a new one, and returns when
// its servers have answered.
func (f *fleet) start(ctx context.Context, index int) error {
	f.mu.Lock()
	if index == len(f.consumers) {
		f.consumers = append(f.consumers, &consumer{index: index})
	}
	if index > len(f.consumers) {
		f.mu.Unlock()
		return fmt.Errorf("consumer %d cannot be the next of %d", index, len(f.consumers))
	}
	c := f.consumers[index]
	if c.starting || c.up() || f.still {
		f.mu.Unlock()
		return harness.ErrBusy
	}
	c.starting = true
	c.life++
	life := c.life
	f.mu.Unlock()
	f.sink.Consumer(time.Now(), index, reports.StateStarting, fmt.Sprintf("life %d", life))
	cfg := f.config
	if index == judge.FirstConsumer {
		// A static member gets its partitions back at once. The others leave for good.
		cfg.InstanceID = cfg.Group + "-first"
	}
	planted := f.planted
	if life > 1 {
		planted = planted.Again()
	}
	i, err := consumerprocess.Start(ctx, consumerprocess.Config{
		Pipeline: cfg, Planted: planted, Mark: f.mark, Log: f.log,
		Events: func(e flusher.Event) { f.sink.Supervised(index, life, e) },
		Ingest: func(e ingest.Event) { f.sink.Ingested(time.Now(), index, e) },
		Audit:  func(e core.AuditEvent) { f.sink.Audited(time.Now(), index, e) },
		Fresh: func(worker int, samples []time.Duration) {
			f.sink.Fresh(time.Now(), index, worker, samples)
		},
		State: func() { f.sink.Changed(time.Now(), f.standing) },
	})
	// What it is now is told first: from then on others may do something to it.
	if err != nil {
		f.sink.Consumer(time.Now(), index, reports.StateDead, err.Error())
	} else {
		f.sink.Consumer(time.Now(), index, reports.StateHealthy, "")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c.starting, c.frozen, c.asked = false, false, err != nil
	if err != nil {
		return err
	}
	c.instance, c.over = i, make(chan struct{})
	go f.follow(c, i, c.over)
	return nil
}

// follow tells of the end of a life.
func (f *fleet) follow(c *consumer, i *consumerprocess.Process, over chan<- struct{}) {
	defer close(over)
	<-i.Done()
	f.mu.Lock()
	asked := c.asked
	f.mu.Unlock()
	f.sink.Ended(time.Now(), c.index, asked, i.Look().Counters, i.Err())
}

// get returns a consumer that runs, or harness.ErrBusy.
func (f *fleet) get(index int) (*consumer, error) {
	if index >= len(f.consumers) || !f.consumers[index].up() || f.consumers[index].starting {
		return nil, harness.ErrBusy
	}
	return f.consumers[index], nil
}

// running returns the consumers that run.
func (f *fleet) running() []harness.Consumer {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []harness.Consumer
	for _, c := range f.consumers {
		if !c.up() || c.starting {
			continue
		}
		l := c.instance.Look()
		list = append(list, harness.Consumer{Index: c.index, Life: c.life, Workers: l.Workers,
			Processes: l.Pids, Stuck: l.Ready})
	}
	return list
}

// look returns how the consumers that run stand, with the processes of their workers, and their own
// in the order of the looks.
func (f *fleet) look(now time.Time) (looks []judge.ConsumerLook, workerPids, consumerPids []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.consumers {
		if !c.up() {
			continue
		}
		l := c.instance.Look()
		looks = append(looks, judge.ConsumerLook{Consumer: c.index, Life: c.life, Ending: c.asked,
			Heard: now.Sub(l.At).Seconds(), States: l.Workers, Closed: l.Closed,
			Committed: committed(l.Counters)})
		consumerPids = append(consumerPids, c.instance.Pid())
		workerPids = slices.AppendSeq(workerPids, maps.Values(l.Pids))
	}
	return looks, workerPids, consumerPids
}

// standing are the consumers that run.
func (f *fleet) standing() []judge.ConsumerLook {
	looks, _, _ := f.look(time.Now())
	return looks
}

func committed(c ingest.Counters) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, p := range c.Partitions {
		if p.Next > 0 {
			offsets[p.Partition] = p.Next
		}
	}
	return offsets
}

// killAll ends every consumer and worker at once.
func (f *fleet) killAll() {
	f.mu.Lock()
	consumers := slices.Clone(f.consumers)
	for _, c := range consumers {
		c.asked = true
	}
	f.mu.Unlock()
	for _, c := range consumers {
		if c.up() {
			c.instance.Kill()
			<-c.over
		}
	}
	list, _ := f.processes()
	for _, p := range list {
		_ = syscall.Kill(p.Pid, syscall.SIGKILL) // frozen or not; it may have just ended
	}
}
