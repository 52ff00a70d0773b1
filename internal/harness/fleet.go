package harness

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/judge"
	"sluice/internal/pipeline"
	"sluice/internal/process"
	consumerprocess "sluice/internal/process/consumer"
	"sluice/reports"
)

// fleet is the consumers of a run. The first is there from its begin to its end, but for the faults
// that end it; another joins for a rebalance.
type fleet struct {
	config pipeline.Config
	mark   string
	log    *slog.Logger
	record *recorder

	mu        sync.Mutex
	consumers []*consumer

	scanning sync.Mutex
	scanner  *process.Scanner
}

// newFleet returns the consumers of a run, of which none is started yet. The mark is no other run's.
func newFleet(c pipeline.Config, log *slog.Logger, r *recorder) *fleet {
	mark := "SIMULATION=" + c.Group
	return &fleet{config: c, mark: mark, log: log, record: r, scanner: process.NewScanner(mark)}
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
	// asked is true once somebody ended this life, or told it to end.
	asked bool
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

// first is the consumer that faults happen to.
const first = judge.FirstConsumer

// start starts a life of a consumer, the next one of those there are or a new one, and returns when
// its servers have answered.
func (f *fleet) start(ctx context.Context, index int) error {
	f.mu.Lock()
	if index == len(f.consumers) {
		f.consumers = append(f.consumers, &consumer{index: index})
	}
	c := f.consumers[index]
	if c.starting || c.up() {
		f.mu.Unlock()
		return errBusy
	}
	c.starting = true
	c.life++
	life := c.life
	f.mu.Unlock()
	f.record.consumer(index, reports.StateStarting, fmt.Sprintf("life %d", life))
	cfg := f.config
	if index == first {
		// A static member gets its partitions back at once. The others leave for good.
		cfg.InstanceID = cfg.Group + "-first"
	}
	i, err := consumerprocess.Start(ctx, consumerprocess.Config{
		Pipeline: cfg, Mark: f.mark, Log: f.log,
		Events: func(e flusher.Event) { f.record.supervisor(index, life, e) },
		Fresh:  func(_ int, samples []time.Duration) { f.record.fresh.add(samples) },
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	c.starting, c.frozen, c.asked = false, false, err != nil
	if err != nil {
		f.record.consumer(index, reports.StateDead, err.Error())
		return err
	}
	c.instance = i
	f.record.consumer(index, reports.StateHealthy, "")
	go f.mourn(c, i)
	return nil
}

// mourn notes the end of a life.
func (f *fleet) mourn(c *consumer, i *consumerprocess.Process) {
	<-i.Done()
	state, text := reports.StateStopped, "drained"
	if err := i.Err(); err != nil {
		state, text = reports.StateDead, err.Error()
	}
	f.record.consumer(c.index, state, text)
	if state == reports.StateDead {
		f.record.orphaned(c.index, text)
	}
}

// get returns a consumer that runs, or errBusy.
func (f *fleet) get(index int) (*consumer, error) {
	if index >= len(f.consumers) || !f.consumers[index].up() || f.consumers[index].starting {
		return nil, errBusy
	}
	return f.consumers[index], nil
}

// Workers returns those of the first consumer; none while it is down.
func (f *fleet) Workers() []flusher.WorkerState {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(first)
	if err != nil {
		return nil
	}
	return c.instance.Look().Workers
}

// Pids returns the processes of the first consumer's workers; none while it is down.
func (f *fleet) Pids() map[int]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.get(first)
	if err != nil {
		return nil
	}
	return maps.Clone(c.instance.Look().Pids)
}

// life returns how often the first consumer was started.
func (f *fleet) life() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.consumers) == 0 {
		return 0
	}
	return f.consumers[first].life
}

// drainSlackMax is how long a consumer may take to drain: its own bound on that, and a little more.
const drainSlackMax = shutdownMax + 5*time.Second

// drain tells a consumer to end, and returns when it has; it is ended by force if it takes too long.
func (f *fleet) drain(c *consumer) error {
	c.instance.Stop()
	select {
	case <-c.instance.Done():
		return nil
	case <-time.After(drainSlackMax):
		c.instance.Kill()
		<-c.instance.Done()
		return fmt.Errorf("consumer %d did not end within %v", c.index, drainSlackMax)
	}
}

// drainAll lets every consumer drain at the end of a run. forced is true if one had to be ended by
// force; err is what the first that did not drain in good order said.
func (f *fleet) drainAll() (forced bool, err error) {
	f.mu.Lock()
	consumers := slices.Clone(f.consumers)
	for _, c := range consumers {
		c.asked = c.asked || c.up()
	}
	f.mu.Unlock()
	for _, c := range consumers {
		if !c.up() {
			continue
		}
		if f.drain(c) != nil {
			forced = true
		} else if err == nil {
			err = c.instance.Err()
		}
	}
	return forced, err
}

// fallen returns why a consumer ended though nobody had asked it to; ok is false if none did.
func (f *fleet) fallen() (err error, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.consumers {
		if c.life > 0 && !c.asked && c.instance != nil && ended(c.instance) {
			return c.instance.Err(), true
		}
	}
	return nil, false
}

// revive starts the first consumer again if it is down.
func (f *fleet) revive() error {
	f.mu.Lock()
	_, err := f.get(first)
	f.mu.Unlock()
	if err == nil {
		return nil
	}
	return f.restart()
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

func committed(c ingest.Counters) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, p := range c.Partitions {
		if p.Next > 0 {
			offsets[p.Partition] = p.Next
		}
	}
	return offsets
}

// ready says what keeps spans from moving, in words.
func (f *fleet) ready() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, c := range f.consumers {
		if c.up() {
			words = append(words, c.instance.Look().Ready...)
		} else if c.index == first {
			words = append(words, "the consumer is down")
		}
	}
	return words
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
			<-c.instance.Done()
		}
	}
	list, _ := f.processes()
	for _, p := range list {
		_ = syscall.Kill(p.Pid, syscall.SIGKILL) // frozen or not; it may have just ended
	}
}
