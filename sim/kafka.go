package sim

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/ledger"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// kafka is one broker or several: the input topic with its group, and the topics that take what comes
// out. The partitions of a topic are spread over the brokers, without replicas.
type kafka struct {
	*link   // of the first broker, which coordinates the group
	brokers []*link
	java    []*warming // by broker
	costs   Kafka
	on      *hosts
	harness Harness
	sink    *harness.Sink
	largest int           // bytes of a record that the output topic takes; 0: any
	failing map[int32]int // faults by output partition under which it takes nothing
	works   *kernel.Cond
	// deposed are the partitions of each topic, and elections is whether a new leader has what the one
	// before it was just writing.
	deposed   []leadership
	elections *rand.Rand

	input []partition
	come  *kernel.Cond // something was added to the input
	// requests are those so far, of all clients.
	requests Requests
	group    *group
	offset   int64           // of the next record that comes out
	headers  []ledger.Header // scratch, of the record that comes out
}

// leadership is what a partition has of a leader.
type leadership struct {
	lacks int           // faults under which it has none
	since time.Duration // when the last of them began
}

// The names of the topics, which the ledger knows.
const (
	inputTopic  = "spans"
	outputTopic = "segments"
	letterTopic = "dlq"
)

func newKafka(
	k *kernel.Kernel, costs Costs, on *hosts, s scenarios.Scenario, sink *harness.Sink,
) *kafka {
	var brokers []*link
	var java []*warming
	for n := range s.Brokers() {
		name := "kafka"
		if s.Brokers() > 1 {
			name = fmt.Sprintf("kafka broker %d", n)
		}
		w := &warming{station: on.kafka.Share(name, 0), warmUp: costs.Kafka.WarmUp}
		l := newLink(k, name, costs.Network.Hop, w)
		w.used, l.wire = &l.used, on.wire
		brokers, java = append(brokers, l), append(java, w)
	}
	b := &kafka{link: brokers[0], brokers: brokers, java: java, costs: costs.Kafka, on: on,
		deposed:   make([]leadership, s.Topology.Partitions),
		elections: scenarios.Stream(s.Seed, "elections of leaders"),
		harness:   costs.Harness, sink: sink,
		largest: int(s.Topology.OutputRecordMax), failing: map[int32]int{},
		works: k.NewCond("kafka takes records"), input: make([]partition, s.Topology.Partitions),
		come: k.NewCond("input")}
	b.group = newGroup(b, s.Topology.Partitions)
	if b.costs.Idle > 0 {
		k.Go("kafka idles", func() {
			idles(k, b.costs.Idle, func(cost time.Duration) {
				if b.up() {
					b.burn(cost)
				}
			})
		})
	}
	return b
}

// of returns the broker of a partition.
func (b *kafka) of(partition int32) *link { return b.brokers[int(partition)%len(b.brokers)] }

// open tells whether a partition can be read and written.
func (b *kafka) open(partition int32) bool {
	return b.deposed[partition].lacks == 0 && b.of(partition).up()
}

// connect returns a connection to each broker.
func (b *kafka) connect() []*conn {
	conns := make([]*conn, len(b.brokers))
	for n, broker := range b.brokers {
		conns[n] = broker.connect()
	}
	return conns
}

// partitions are those that a fault hits.
func (b *kafka) partitions(f scenarios.Fault) []int32 {
	partitions := make([]int32, 0, len(b.input))
	for p := range b.input {
		if f.Target.Kind != scenarios.TargetPartition || p == f.Target.N {
			partitions = append(partitions, int32(p))
		}
	}
	return partitions
}

// depose takes the leader from partitions.
func (b *kafka) depose(partitions []int32) (undo func() error) {
	for _, p := range partitions {
		b.deposed[p].lacks++
		b.deposed[p].since = b.k.Elapsed()
	}
	return func() error {
		for _, p := range partitions {
			b.deposed[p].lacks--
		}
		b.come.Broadcast()
		return nil
	}
}

// Break does a fault to the broker or to the way to it.
func (b *kafka) Break(f scenarios.Fault) (undo func() error, err error) {
	switch f.Verb {
	case scenarios.VerbFail:
		partitions := b.partitions(f)
		for _, p := range partitions {
			b.failing[p]++
		}
		return func() error {
			for _, p := range partitions {
				b.failing[p]--
			}
			b.works.Broadcast()
			return nil
		}, nil
	case scenarios.VerbDepose:
		return b.depose(b.partitions(f)), nil
	case scenarios.VerbDelete:
		for _, p := range b.partitions(f) {
			b.deleteAll(p)
		}
		return nil, nil
	}
	var undos []func() error
	for n, broker := range b.brokers {
		if f.Target.Kind == scenarios.TargetBroker && n != f.Target.N {
			continue
		}
		undo, ok := broker.breakDown(f)
		if !ok {
			return nil, fmt.Errorf("world virtual knows no %s of kafka", f.Verb)
		}
		if undo != nil {
			undos = append(undos, undo)
		}
	}
	if f.Verb == scenarios.VerbStop || f.Verb == scenarios.VerbCrash {
		if f.Verb == scenarios.VerbStop {
			b.wait(b.costs.Stop)
		}
		admit := undos
		undos = []func() error{func() error {
			b.wait(b.costs.Start)
			for n, java := range b.java {
				if f.Target.Kind != scenarios.TargetBroker || n == f.Target.N {
					java.start()
				}
			}
			return allOf(admit)()
		}}
	}
	return allOf(undos), nil
}

// allOf does all of a list; nil if it is empty.
func allOf(undos []func() error) func() error {
	if len(undos) == 0 {
		return nil
	}
	return func() error {
		var errs []error
		for _, undo := range undos {
			errs = append(errs, undo())
		}
		return errors.Join(errs...)
	}
}

// add appends a message to the input, and returns its offset; come is to be told of it, and the broker
// that it took some.
func (b *kafka) add(number int32, at time.Time, key, value []byte) int64 {
	p := &b.input[number]
	m := flusher.Message{Time: at, Key: key, Value: value}
	m.Position.Partition, m.Position.Offset = number, p.end()
	if len(p.log) == cap(p.log) {
		p.log = append(make([]flusher.Message, 0, max(roomMin, 2*len(p.log))), p.log...)
	}
	p.log = append(p.log, m)
	return m.Position.Offset
}

// partition is one of the input's. What is in its log never moves within memory and never changes, so
// those who fetch get it as it is.
type partition struct {
	first int64 // the offset of what the log begins with: what is before was committed, or deleted
	log   []flusher.Message
}

// roomMin is for how many messages a log makes room at least.
const roomMin = 1024

// end returns the offset behind the last message.
func (p *partition) end() int64 { return p.first + int64(len(p.log)) }

// from returns the messages from an offset on, and no more than limit of them.
func (p *partition) from(offset int64, limit int) []flusher.Message {
	log := p.log[offset-p.first:]
	n := min(limit, len(log))
	return log[:n:n]
}

// forget lets go of what is before an offset: nobody will read it again.
func (p *partition) forget(offset int64) {
	if offset > p.first {
		p.log, p.first = p.log[offset-p.first:], offset
	}
}

// deleteAll moves the start of a partition's log to its end, as retention does.
func (b *kafka) deleteAll(number int32) {
	p := &b.input[number]
	committed := b.group.committed[number]
	if committed == 0 {
		committed = -1
	}
	p.forget(p.end())
	b.k.Note("log start", int64(number), p.first)
	b.sink.Ledger.Deleted(number, committed, p.first)
}

// took has the broker compute what a request of messages takes, and returns how long from now it will
// take until that is done.
func (b *kafka) took(messages, bytes int) time.Duration {
	b.requests.Sent++
	return b.burn(b.costs.Request + each(messages, b.costs.Message) + perKB(bytes, b.costs.KB))
}

// burn has the broker compute something, and returns how long from now it will take until that is done.
func (b *kafka) burn(cost time.Duration) time.Duration {
	b.used += cost
	return b.Take(cost)
}

// producer is a process's way to the topics that take what comes out.
type producer struct {
	*kafka
	lanes []*lane    // by broker
	cpu   *processor // which computes that much for a record
	cost  time.Duration
}

// lane is a producer's way to a broker. Records wait in the process until its task sends them, so they
// die with it.
type lane struct {
	*producer
	conn  *conn
	queue []*sending
	news  *kernel.Cond
}

// sending is a record on its way.
type sending struct {
	record    flusher.Record
	partition int32
	kept      bool // it is there, whatever its producer has heard
	done      bool
	err       error
	cond      kernel.Cond
}

func (b *kafka) newProducer(p *kernel.Process, cpu *processor, cost time.Duration) *producer {
	out := &producer{kafka: b, cpu: cpu, cost: cost}
	for _, conn := range b.connect() {
		l := &lane{producer: out, conn: conn, news: b.k.NewCond("records to send")}
		out.lanes = append(out.lanes, l)
		p.Go("producer", l.run)
	}
	return out
}

var _ flusher.Producer = (*producer)(nil)

// Produce implements flusher.Producer.
func (p *producer) Produce(_ context.Context, record flusher.Record) flusher.Future {
	s := &sending{record: record, partition: ledger.PartitionOf(record.Key, len(p.input)),
		cond: *p.k.NewCond("acknowledgement")}
	if p.k.Alive() {
		l := p.lanes[int(s.partition)%len(p.lanes)]
		l.queue = append(l.queue, s)
		l.news.Signal()
	}
	return s
}

// Wait implements flusher.Future.
func (s *sending) Wait(ctx context.Context) error {
	for !s.done {
		if err := s.cond.Wait(ctx); err != nil {
			return err
		}
	}
	return s.err
}

// Flush implements flusher.Producer.
func (p *producer) Flush(ctx context.Context) error {
	var all []*sending
	for _, l := range p.lanes {
		all = append(all, l.queue...)
	}
	for _, s := range all {
		if err := s.Wait(ctx); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// run sends what is queued, again and again until the broker has it: records keep their order.
func (l *lane) run() {
	ctx := context.Background()
	for {
		for len(l.queue) == 0 {
			if l.news.Wait(ctx) != nil {
				return
			}
		}
		_ = l.k.Sleep(ctx, l.costs.Linger) // it has no end but this
		// Meanwhile, and while a request is made of these, more come in: they go with the next one.
		batch := slices.Clone(l.queue)
		l.cpu.compute(each(len(batch), l.cost))
		l.cpu.settle()
		l.send(ctx, batch)
	}
}

// resend is how long a client waits before it tries again.
const resend = 100 * time.Millisecond

func (l *lane) send(ctx context.Context, batch []*sending) {
	for len(batch) > 0 {
		var rest []*sending
		bytes := 0
		for _, s := range batch {
			bytes += size(s.record)
		}
		l.requests.Produced++
		// Beside this request there is one of who reads it.
		cost := 2*l.costs.Request + each(len(batch), l.costs.Record) + perKB(bytes, l.costs.KB)
		sent := l.k.Elapsed()
		err := l.conn.ask(ctx, patient, cost, bytes, func() (int, time.Duration) {
			rest = nil
			l.on.load(l.harness.Request)
			for _, s := range batch {
				if !s.done && !l.take(s, sent) {
					rest = append(rest, s)
				}
			}
			return small, 0
		})
		if err == nil {
			_ = l.k.Sleep(ctx, l.costs.Acknowledge)
			l.settle(batch)
			batch = rest
		}
		if len(batch) > 0 {
			_ = l.k.Sleep(ctx, resend)
			// What has come since goes along: the partitions of the others may take something.
			l.cpu.compute(each(len(l.queue)-len(batch), l.cost))
			l.cpu.settle()
			batch = slices.Clone(l.queue)
		}
	}
}

// settle tells who waits for the records that the broker has decided on.
func (l *lane) settle(batch []*sending) {
	kept := l.queue[:0]
	for _, s := range l.queue {
		if !s.done {
			kept = append(kept, s)
		}
	}
	l.queue = kept
	for _, s := range batch {
		if s.done {
			s.cond.Broadcast()
		}
	}
}

// take has the broker decide on a record; false if it cannot take it for now. One whose answer is
// lost is sent again, and recognised: the producer is idempotent. Sent is when its request was.
func (b *kafka) take(s *sending, sent time.Duration) bool {
	size, partition := size(s.record), s.partition
	if s.record.Topic == outputTopic {
		if b.largest > 0 && size > b.largest {
			s.done, s.err = true, fmt.Errorf("%d bytes: %w", size, flusher.ErrRecordTooLarge)
			return true
		}
		if b.failing[partition] > 0 {
			return false
		}
	}
	if leader := &b.deposed[partition]; leader.lacks > 0 {
		// Its successor may have what the leader was given just before, but nobody says so.
		if sent < leader.since && !s.kept && b.elections.IntN(2) == 0 {
			b.keep(s, size)
		}
		return false
	}
	s.done = true
	if !s.kept {
		b.keep(s, size)
	}
	return true
}

// keep has a record in its partition from now on.
func (b *kafka) keep(s *sending, size int) {
	s.kept = true
	partition := s.partition
	b.headers = b.headers[:0]
	for _, h := range s.record.Headers {
		b.headers = append(b.headers, ledger.Header{Key: h.Key, Value: h.Value})
	}
	r := ledger.Record{Partition: partition, Offset: b.offset, Key: s.record.Key, Value: s.record.Value,
		Headers: b.headers}
	b.k.Note(s.record.Topic, int64(partition), b.offset, int64(size), int64(contents(s.record)))
	if s.record.Topic == letterTopic {
		b.sink.DeadLetter(b.k.Now(), r)
	} else {
		b.sink.Output(b.k.Now(), r)
	}
	b.offset++
	b.on.load(perKB(size, b.harness.CheckKB))
}

// contents is a hash of all that a record holds: runs with one digest wrote the same, in the same order.
func contents(r flusher.Record) uint64 {
	sum := xxhash.Sum64(r.Key)*31 + xxhash.Sum64(r.Value)
	for _, h := range r.Headers {
		sum = (sum*31+xxhash.Sum64String(h.Key))*31 + xxhash.Sum64(h.Value)
	}
	return sum
}

// size is how many bytes a record has.
func size(r flusher.Record) int {
	bytes := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		bytes += len(h.Key) + len(h.Value)
	}
	return bytes
}

var errNotMember = errors.New("the group has given the partition to another member")
