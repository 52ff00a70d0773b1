package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/buffer/codec"
	core "sluice/consumer"
	"sluice/consumer/ingest"
	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/journal"
	"sluice/internal/judge"
	"sluice/reports"
	"sluice/sim/kernel"
)

// consumer is a member of the group, over all its lives.
type consumer struct {
	*System
	index int
	// life counts its starts, from 1; 0 before the first.
	life     int
	starting bool
	asked    bool // somebody ended this life, or asked it to end
	frozenAt time.Time

	// Of this life.
	process  *kernel.Process
	consumer *core.Consumer
	member   *member
	spawner  *spawner
	doing    *doing
	stop     context.CancelFunc
	ended    bool
	err      error
	over     *kernel.Cond
}

func (c *consumer) up() bool { return c.process != nil && !c.process.Dead() }

// look is how it stands now: it runs.
func (c *consumer) look() judge.ConsumerLook {
	look := judge.ConsumerLook{Consumer: c.index, Life: c.life, Ending: c.asked, States: c.consumer.Workers()}
	if c.process.Frozen() {
		look.Heard = c.Now().Sub(c.frozenAt).Seconds()
	}
	if c.member.lost { // others have what it takes for its own
		look.Heard = max(look.Heard, c.Now().Sub(c.member.silent).Seconds())
	}
	return look
}

// start begins a life of a consumer.
func (s *System) start(ctx context.Context, index int) error {
	for index >= len(s.members) {
		s.members = append(s.members, &consumer{System: s, index: len(s.members),
			spawner: &spawner{System: s}, over: s.NewCond("the end of a consumer")})
	}
	c := s.members[index]
	if c.starting || c.up() {
		return harness.ErrBusy
	}
	c.life++
	sink := s.setup.Sink
	sink.Consumer(s.Now(), index, reports.StateStarting, fmt.Sprintf("life %d", c.life))
	c.process = s.Process(fmt.Sprintf("consumer %d.%d", index, c.life))
	c.starting, c.asked, c.ended, c.err = true, false, false, nil
	err := s.Sleep(ctx, s.costs.Program.Start)
	if err == nil {
		err = s.ping(ctx)
	}
	if err == nil {
		err = c.open()
	}
	c.starting = false
	s.changed()
	if err != nil {
		c.asked = true
		c.process.Kill()
		sink.Consumer(s.Now(), index, reports.StateDead, err.Error())
		return err
	}
	sink.Consumer(s.Now(), index, reports.StateHealthy, "")
	return nil
}

// open wires the consumer, and lets it run in its process.
func (c *consumer) open() (err error) {
	settings := c.setup.Settings()
	settings.Ingest.InputTopic, settings.Ingest.DeadLetterTopic = inputTopic, letterTopic
	settings.Worker.InputTopic = inputTopic
	settings.Worker.OutputTopic, settings.Worker.DeadLetterTopic = outputTopic, letterTopic
	settings = settings.Bounded()
	static := ""
	if c.index == judge.FirstConsumer {
		static = "first" // it gets its partitions back at once; the others leave for good
	}
	c.spawner = &spawner{System: c.System, consumer: c.index, parent: c.process, settings: settings,
		planted: c.setup.Planted}
	if c.life > 1 {
		c.spawner.planted = c.setup.Planted.Again()
	}
	c.member = c.kafka.group.join(c.process, static)
	costs := c.costs.Program
	cpu := &processor{k: c.Kernel, on: c.on.pipeline.Share("consumer", 0), used: &c.on.consumers}
	c.member.cpu, c.member.perPoll = cpu, costs.Poll
	if costs.Idle > 0 {
		c.process.Go("idles", func() { idles(c.Kernel, costs.Idle, cpu.compute) })
	}
	store := c.connectStore(cpu)
	contract := newInputContract(nil, c.Kernel, settings.Ingest.MaxBatch*settings.Ingest.BatchGrowth,
		c.breachOf(fmt.Sprintf("consumer %d", c.index)))
	ports := c.ports(contract, store)
	c.spawner.planted.Consumer(&ports, c.process.Kill)
	contract.Store, ports.Store = ports.Store, contract // beyond what is planted
	c.consumer, err = core.New(core.Config{
		Flusher: settings.Flusher, Ingest: settings.Ingest,
		Audit: core.DefaultAudit(uint64(c.index)<<32 + uint64(c.life)),
	}, ports)
	if err != nil {
		return err
	}
	stop, cancel := c.WithCancel(context.Background())
	c.stop = cancel
	c.process.Go("consumer", func() {
		err := c.consumer.Run(context.Background(), stop)
		if !c.Alive() {
			return
		}
		if c.member.static == "" && c.member.up() { // else its session expires
			c.kafka.group.leave(c.member, false)
		}
		c.end(err)
		c.process.Kill()
	})
	return nil
}

// connectStore connects this life to Redis: its processor computes for the calls.
func (c *consumer) connectStore(cpu *processor) client {
	costs := c.costs.Program
	c.doing = c.newDoing()
	c.member.doing = c.doing
	return client{redis: c.redis, who: journal.Who{Consumer: c.index, Worker: reports.NoWorker},
		journal: c.setup.Sink.Journal, conns: c.redis.connect(), answerMax: 10 * time.Second, cpu: cpu,
		perCall: costs.Call, attach: costs.Attach, doing: c.doing}
}

// ports are this life's, before anything is planted in them. The contract hears of the gates and of
// messages that are gone.
func (c *consumer) ports(contract *inputContract, store client) core.Ports {
	life, index, settings := c.life, c.index, c.spawner.settings
	return core.Ports{
		Clock: c.Kernel, Tasks: c.process, Source: c.watched(contract, settings.Ingest), Store: store,
		Decoder:     &decoder{codec.New(settings.Options.MaxSegmentBytes), store.cpu, c.costs.Program},
		DeadLetters: c.kafka.newProducer(c.process, store.cpu, c.costs.Worker.Record), Spawner: c.spawner,
		KillWorkers: c.spawner.killAll, Memory: c.redis, Auditor: store,
		AuditEvents: func(e core.AuditEvent) {
			c.Note(e.String())
			c.setup.Sink.Audited(c.Now(), index, e)
		},
		Events: func(e flusher.Event) {
			c.Note(e.String())
			contract.gate(e)
			c.setup.Sink.Supervised(index, life, e)
			c.changed()
		},
		IngestEvents: func(e ingest.Event) {
			if e.Kind == ingest.MessagesDeleted {
				c.Note(e.String())
				contract.miss(e.Gap)
			}
			c.setup.Sink.Ingested(c.Now(), index, e)
		},
		Fresh: func(worker int, samples []time.Duration) {
			c.setup.Sink.Fresh(c.Now(), index, worker, samples)
		},
	}
}

// end tells of the end of a life, once.
func (c *consumer) end(err error) {
	if c.ended {
		return
	}
	c.ended, c.err = true, err
	var done ingest.Counters
	if c.consumer != nil {
		done = c.consumer.Counters()
	}
	c.setup.Sink.Ended(c.Now(), c.index, c.asked, done, err)
	c.changed()
	c.over.Broadcast()
}

var errKilled = errors.New("killed by signal SIGKILL")

// do does something to the consumer.
func (c *consumer) do(ctx context.Context, act harness.Act) error {
	switch act {
	case harness.ActKill:
		if c.asked {
			return harness.ErrBusy
		}
		c.kill()
		return nil
	case harness.ActStop:
		if c.asked || c.process.Frozen() {
			return harness.ErrBusy
		}
		c.asked = true
		c.stop()
		for !c.ended {
			if err := c.over.Wait(ctx); err != nil {
				c.kill()
				return err
			}
		}
		return c.err
	case harness.ActFreeze:
		if c.asked || c.process.Frozen() {
			return harness.ErrBusy
		}
		c.frozenAt = c.Now()
		c.process.Freeze()
		c.spawner.each((*kernel.Process).Freeze)
		c.setup.Sink.Consumer(c.Now(), c.index, reports.StateHung, "frozen")
		c.changed()
		return nil
	case harness.ActWake:
		if !c.process.Frozen() {
			return harness.ErrBusy
		}
		c.spawner.each((*kernel.Process).Wake)
		c.process.Wake()
		c.setup.Sink.Consumer(c.Now(), c.index, reports.StateHealthy, "woken")
		c.changed()
		return nil
	}
	return fmt.Errorf("nobody can %v a consumer", act)
}

// doAll freezes all consumers that run, or none, or wakes them.
func (s *System) doAll(ctx context.Context, act harness.Act) error {
	if act != harness.ActFreeze && act != harness.ActWake {
		return fmt.Errorf("nobody can %v a host", act)
	}
	var all []*consumer
	for _, c := range s.members {
		if !c.up() {
			continue
		}
		if act == harness.ActFreeze && (c.starting || c.asked || c.process.Frozen()) {
			return harness.ErrBusy
		}
		all = append(all, c)
	}
	if act == harness.ActFreeze && len(all) == 0 || act == harness.ActWake && !s.still {
		return harness.ErrBusy
	}
	s.still = act == harness.ActFreeze
	for _, c := range all {
		if err := c.do(ctx, act); err != nil {
			return err
		}
	}
	return nil
}

// kill ends the process. Its workers end with it, frozen ones too: the kernel continues what is
// stopped in a group that has lost its parent.
func (c *consumer) kill() {
	c.asked = true
	c.process.Kill()
	c.spawner.each(func(p *kernel.Process) {
		p.Wake()
		p.Kill()
	})
	c.end(errKilled)
}

// stuck says what keeps spans from moving, in words.
func (c *consumer) stuck() []string {
	var words []string
	for _, register := range c.consumer.Troubles() {
		for _, t := range register.All() {
			words = append(words, t.String())
		}
	}
	for _, w := range c.consumer.Workers() {
		if w.State != flusher.StateHealthy && w.State != flusher.StateStopped {
			words = append(words, fmt.Sprintf("worker %d (shards %v) is %v", w.Worker, w.Shards, w.State))
		}
	}
	for _, p := range c.consumer.Counters().Partitions {
		if p.Assigned && p.Paused != "" {
			words = append(words, fmt.Sprintf("input of partition %d is paused: %s", p.Partition, p.Paused))
		}
	}
	return words
}
