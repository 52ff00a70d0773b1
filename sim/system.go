package sim

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"sluice/buffer"
	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/judge"
	"sluice/internal/load"
	"sluice/reports"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// System is a run in virtual time. It belongs to one goroutine.
type System struct {
	*kernel.Kernel
	setup   harness.Setup
	costs   Costs
	on      *hosts
	redis   *redis
	kafka   *kafka
	members []*consumer
	still   bool   // their host stands still
	numbers int    // of worker processes
	peaks   []peak // by consumer
	noting  bool   // how the consumers stand, before this instant is over
	shifts  []time.Duration
	epochs  epochs
	// requests gets those of Kafka in the end; nil: nobody asks.
	requests *Requests
}

var _ harness.System = (*System)(nil)

// eventsMax is how many events a run may have: a run that gets nowhere ends.
const eventsMax = 2_000_000_000

func open(setup harness.Setup, costs Costs) (*System, error) {
	cfg := kernel.DefaultConfig()
	cfg.EventsMax = eventsMax
	k, err := kernel.New(cfg)
	if err != nil {
		return nil, err
	}
	costs = costs.effective()
	topology, ledger := setup.Scenario.Topology, setup.Sink.Ledger
	ledger.InputTopic, ledger.Partitions = inputTopic, topology.Partitions
	ledger.RecordBytesMax = cmp.Or(int(topology.OutputRecordMax), harness.BrokerRecordMax)
	on := newHosts(k, costs.Hosts, costs.Network)
	if idle := costs.Harness.Idle; idle > 0 && on.shared != nil {
		k.Go("harness idles", func() { idles(k, idle, on.load) })
	}
	s := &System{
		Kernel: k, setup: setup, costs: costs, on: on,
		redis:  newRedis(k, costs, on, harness.Settings(setup.Scenario).Options, costs.Hosts.NodesOf(setup.Scenario)),
		kafka:  newKafka(k, costs, on, setup.Scenario, setup.Sink),
		shifts: make([]time.Duration, setup.Scenario.Topology.Partitions),
		epochs: epochs{},
	}
	if jitter := costs.Network.Jitter; jitter > 0 {
		s.shake(setup.Scenario.Seed, jitter)
	}
	return s, nil
}

// Close implements harness.System.
func (s *System) Close() error {
	s.Kernel.Close()
	if s.requests != nil {
		*s.requests = s.kafka.requests
	}
	return nil
}

// Consumers implements harness.System.
func (s *System) Consumers() []harness.Consumer {
	var list []harness.Consumer
	for _, c := range s.members {
		if c.up() && !c.starting {
			list = append(list, harness.Consumer{Index: c.index, Life: c.life,
				Workers: c.spawner.statuses(c.consumer.Workers()), Processes: c.spawner.numbers(),
				Stuck: c.stuck(), Calls: c.doing.list()})
		}
	}
	return list
}

// Do implements harness.System.
func (s *System) Do(ctx context.Context, act harness.Act, to harness.Process) error {
	switch {
	case to.Consumer == harness.WholeHost:
		return s.doAll(ctx, act)
	case s.still && (act == harness.ActStart || act == harness.ActWake):
		return harness.ErrBusy
	case act == harness.ActStart:
		return s.start(ctx, to.Consumer)
	}
	if to.Consumer >= len(s.members) || !s.members[to.Consumer].up() {
		return harness.ErrBusy
	}
	c := s.members[to.Consumer]
	if to.Worker != reports.NoWorker {
		return c.spawner.do(act, to.Number)
	}
	if c.starting {
		return harness.ErrBusy
	}
	return c.do(ctx, act)
}

var _ harness.Redrawer = (*System)(nil)

// Redraw implements harness.Redrawer: from now on the network takes its time by chance, also if it did not.
func (s *System) Redraw(seed uint64) {
	s.shake(seed, cmp.Or(s.costs.Network.Jitter, s.costs.Network.Hop))
}

// shake has messages be on the way for longer than a hop, by so much at most.
func (s *System) shake(seed uint64, most time.Duration) {
	for _, n := range s.redis.nodes {
		n.shaken(seed, most)
	}
	for _, broker := range s.kafka.brokers {
		broker.shaken(seed, most)
	}
}

// Break implements harness.System.
func (s *System) Break(f scenarios.Fault) (undo func() error, err error) {
	s.Note("fault " + f.What())
	switch {
	case f.Verb == scenarios.VerbJump:
		s.jump(f, f.By)
		return func() error {
			s.jump(f, -f.By)
			return nil
		}, nil
	case f.Verb == scenarios.VerbFailover:
		committed := map[int32]int64{}
		for p, offset := range s.kafka.group.committed {
			committed[int32(p)] = offset
		}
		return s.redis.failOver(context.Background(), f, func(of func(buffer.TraceKey) bool) {
			s.setup.Sink.SetBack(committed, of)
		})
	case f.Target.Kind == scenarios.TargetRedis:
		return s.redis.Break(f)
	}
	return s.kafka.Break(f)
}

var _ harness.Locator = (*System)(nil)

// Homes implements harness.Locator.
func (s *System) Homes(context.Context) (func(buffer.TraceKey) int, error) {
	return s.redis.ofTrace, nil
}

// jump shifts the timestamps of what is sent from now on, beside what others shift them by.
func (s *System) jump(f scenarios.Fault, by time.Duration) {
	for p := range s.shifts {
		if f.Target.Kind != scenarios.TargetPartition || p == f.Target.N {
			s.shifts[p] += by
		}
	}
}

// tick is how finely the load is sent: as long as the producers on the wall clock gather messages.
const tick = 2 * time.Millisecond

// Send implements harness.System. What the broker does not take waits, and keeps its time.
func (s *System) Send(ctx context.Context, start time.Time) (sent harness.Sent) {
	var m load.Message
	more := s.setup.Load.Next(&m)
	held := newHeld(s, start)
	for more || held.some {
		held.deliver()
		away := !s.kafka.inTouch()
		for !s.kafka.inTouch() {
			if sent.Err = s.Sleep(ctx, resend); sent.Err != nil {
				return sent
			}
		}
		now := s.Now()
		elapsed := now.Sub(start)
		if late := elapsed - m.At; !away && s.on.shared != nil { // what waits for Kafka was handed over
			sent.Behind = max(sent.Behind, late.Seconds())
		}
		messages, bytes := 0, 0
		for ; more && m.At <= elapsed; more = s.setup.Load.Next(&m) {
			s.setup.Sink.Sent(now, &m)
			if !held.holds(&m) {
				s.place(start, &m)
			}
			messages, bytes = messages+1, bytes+len(m.Value)
		}
		if sent.Err = s.sending(ctx, messages, bytes); sent.Err != nil {
			return sent
		}
		s.kafka.come.Broadcast()
		if !more && !held.some {
			break
		}
		wait := tick
		if more {
			wait = max(tick, m.At-s.Now().Sub(start))
		}
		if sent.Err = s.Sleep(ctx, wait); sent.Err != nil {
			return sent
		}
	}
	return sent
}

// place adds a message to the input.
func (s *System) place(start time.Time, m *load.Message) {
	at := m.Timestamp(start.Add(m.At + s.shifts[m.Partition]))
	s.setup.Sink.Placed(m, s.kafka.add(m.Partition, at, m.Key, m.Value))
}

// held are messages whose partition cannot be written to, while others can: their producers keep them.
type held struct {
	*System
	start    time.Time
	messages [][]load.Message // by partition
	some     bool
}

func newHeld(s *System, start time.Time) *held {
	return &held{System: s, start: start, messages: make([][]load.Message, len(s.kafka.input))}
}

// holds keeps a message that has to wait.
func (h *held) holds(m *load.Message) bool {
	p := m.Partition
	if len(h.messages[p]) == 0 && h.kafka.open(p) {
		return false
	}
	h.messages[p], h.some = append(h.messages[p], *m), true
	return true
}

// deliver adds what has waited for partitions that can be written to again.
func (h *held) deliver() {
	if !h.some {
		return
	}
	h.some = false
	for p := range h.messages {
		if !h.kafka.open(int32(p)) {
			h.some = h.some || len(h.messages[p]) > 0
			continue
		}
		for i := range h.messages[p] {
			h.place(h.start, &h.messages[p][i])
		}
		h.messages[p] = nil
	}
	h.kafka.come.Broadcast()
}

// sending has the harness and the broker compute what messages take. On a host that they share with all
// others they wait for its cores as everybody does, and with them the load.
func (s *System) sending(ctx context.Context, messages, bytes int) error {
	cost := each(messages, s.costs.Harness.Send) + each(min(messages, 1), s.costs.Harness.Request)
	if s.on.shared == nil {
		s.kafka.took(messages, bytes)
		return nil
	}
	s.on.harness += cost
	if err := s.on.sender.Work(ctx, cost); err != nil {
		return err
	}
	return s.Sleep(ctx, s.kafka.took(messages, bytes))
}

// Finish implements harness.System: the sink has had everything at once.
func (s *System) Finish(context.Context) error { return nil }

// Remains implements harness.System.
func (s *System) Remains(ctx context.Context) (left judge.Remains) {
	for p := range s.kafka.input {
		left.Waiting += s.kafka.input[p].end() - max(s.kafka.group.committed[p], s.kafka.input[p].first)
	}
	left.Store, left.Err = s.redis.leftovers(ctx)
	return left
}

// peak is the most worker processes that a consumer has had, and when it first had them.
type peak struct {
	live int
	at   time.Time
}

// count notes the processes of a consumer that has just started one: two for a moment would be seen by no
// look.
func (s *System) count(consumer, live int) {
	for consumer >= len(s.peaks) {
		s.peaks = append(s.peaks, peak{})
	}
	if live > s.peaks[consumer].live {
		s.peaks[consumer] = peak{live, s.Now()}
	}
}

// changed has it noted how the consumers stand: in this instant, but not before whoever says that something has
// changed is done, as he may be in the midst of it.
func (s *System) changed() {
	if s.noting {
		return
	}
	s.noting = true
	s.After(0, func() {
		s.noting = false
		s.setup.Sink.Changed(s.Now(), s.standing)
	})
}

// standing are the consumers that run.
func (s *System) standing() (list []judge.ConsumerLook) {
	for _, c := range s.members {
		if !c.up() || c.starting {
			continue
		}
		list = append(list, c.look())
	}
	return list
}

// Look implements harness.System.
func (s *System) Look() (judge.Look, reports.Sample) {
	var l judge.Look
	var sample reports.Sample
	for _, c := range s.members {
		live := c.spawner.live()
		sample.WorkersLive += live
		l.Processes += live
		if !c.up() {
			l.Orphans += c.spawner.loose()
			continue
		}
		l.Processes++
		if c.starting {
			continue
		}
		look := c.look()
		look.Live, look.Closed = live, flusher.SortedShards(c.consumer.Closed())
		look.Committed = map[int32]int64{}
		for _, p := range c.consumer.Counters().Partitions {
			if p.Next > 0 {
				look.Committed[p.Partition] = p.Next
			}
		}
		l.Consumers = append(l.Consumers, look)
	}
	for index, p := range s.peaks {
		l.Peaks = append(l.Peaks, judge.Peak{Consumer: index, Live: p.live, Ago: s.Now().Sub(p.at).Seconds()})
	}
	sample.RedisBytes, sample.RedisBytesAll = s.redis.bytes()
	sample.CPURedis, sample.CPUKafka = s.redis.used().Seconds(), s.kafka.used.Seconds()
	sample.RedisNodes = len(s.redis.nodes)
	sample.CPUWorkers, sample.CPUConsumer = s.on.workers.Seconds(), s.on.consumers.Seconds()
	sample.CPUHarness, sample.NetworkBusy = s.on.harness.Seconds(), s.on.wire.used().Seconds()
	return l, sample
}

// ping returns an error unless both servers answer.
func (s *System) ping(ctx context.Context) error {
	answer := func() (int, time.Duration) { return small, 0 }
	bound, cancel := s.WithTimeout(ctx, harness.Settings(s.setup.Scenario).AnswerMax())
	defer cancel()
	for _, n := range s.redis.nodes {
		if err := n.own.ask(bound, patient, s.costs.Redis.Call, small, answer); err != nil {
			return fmt.Errorf("%s does not answer: %w", n.name, err)
		}
	}
	if err := s.kafka.connect()[0].ask(bound, patient, 0, small, answer); err != nil {
		return fmt.Errorf("kafka does not answer: %w", err)
	}
	return nil
}
