package sim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sluice/flusher"
	"sluice/internal/harness"
	"sluice/internal/ledger"
	"sluice/scenarios"
	"sluice/sim/kernel"
)

// kafka is one broker: the input topic with its group, and the topics that take what comes out.
type kafka struct {
	*link
	costs   Kafka
	on      *hosts
	check   time.Duration // what the harness takes to check 1,000 bytes
	sink    *harness.Sink
	largest int           // bytes of a record that the output topic takes; 0: any
	failing map[int32]int // faults by output partition under which it takes nothing
	works   *kernel.Cond

	input  []partition
	come   *kernel.Cond // something was added to the input
	group  *group
	offset int64 // of the next record that comes out
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
	b := &kafka{link: newLink(k, "kafka", costs.Network.Hop, on.kafka), costs: costs.Kafka, on: on,
		check: costs.Harness.CheckKB, sink: sink,
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

// Break does a fault to the broker or to the way to it.
func (b *kafka) Break(f scenarios.Fault) (undo func() error, err error) {
	if f.Verb == scenarios.VerbFail {
		partitions := make([]int32, 0, len(b.input))
		for p := range b.input {
			if f.Target.Kind != scenarios.TargetPartition || p == f.Target.N {
				partitions = append(partitions, int32(p))
			}
		}
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
	}
	if f.Verb == scenarios.VerbDelete {
		for p := range b.input {
			if f.Target.Kind != scenarios.TargetPartition || p == f.Target.N {
				b.deleteAll(int32(p))
			}
		}
		return nil, nil
	}
	undo, ok := b.breakDown(f)
	if !ok {
		return nil, fmt.Errorf("world virtual knows no %s of kafka", f.Verb)
	}
	return undo, nil
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
	return b.burn(b.costs.Request + each(messages, b.costs.Message) + perKB(bytes, b.costs.KB))
}

// burn has the broker compute something, and returns how long from now it will take until that is done.
func (b *kafka) burn(cost time.Duration) time.Duration {
	b.used += cost
	return b.on.kafka.Take(cost)
}

// producer is a process's way to the topics that take what comes out. Records wait in the process
// until its task sends them, so they die with it.
type producer struct {
	*kafka
	conn  *conn
	cpu   *processor // which computes that much for a record
	cost  time.Duration
	queue []*sending
	news  *kernel.Cond
}

// sending is a record on its way.
type sending struct {
	record flusher.Record
	done   bool
	err    error
	cond   kernel.Cond
}

func (b *kafka) newProducer(p *kernel.Process, cpu *processor, cost time.Duration) *producer {
	out := &producer{kafka: b, conn: b.connect(), cpu: cpu, cost: cost,
		news: b.k.NewCond("records to send")}
	p.Go("producer", out.run)
	return out
}

var _ flusher.Producer = (*producer)(nil)

// Produce implements flusher.Producer.
func (p *producer) Produce(_ context.Context, record flusher.Record) flusher.Future {
	p.cpu.compute(p.cost)
	s := &sending{record: record, cond: *p.k.NewCond("acknowledgement")}
	if p.k.Alive() {
		p.queue = append(p.queue, s)
		p.news.Signal()
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
	for _, s := range append([]*sending(nil), p.queue...) {
		if err := s.Wait(ctx); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// run sends what is queued, again and again until the broker has it: records keep their order.
func (p *producer) run() {
	ctx := context.Background()
	for {
		for len(p.queue) == 0 {
			if p.news.Wait(ctx) != nil {
				return
			}
		}
		_ = p.k.Sleep(ctx, p.costs.Linger) // it has no end but this
		p.send(ctx, slices.Clone(p.queue))
	}
}

// resend is how long a client waits before it tries again.
const resend = 100 * time.Millisecond

func (p *producer) send(ctx context.Context, batch []*sending) {
	for len(batch) > 0 {
		var rest []*sending
		bytes := 0
		for _, s := range batch {
			bytes += size(s.record)
		}
		// Beside this request there is one of who reads it.
		cost := 2*p.costs.Request + each(len(batch), p.costs.Record) + perKB(bytes, p.costs.KB)
		err := p.conn.ask(ctx, patient, cost, bytes, func() (int, time.Duration) {
			rest = nil
			for _, s := range batch {
				if !s.done && !p.take(s) {
					rest = append(rest, s)
				}
			}
			return small, 0
		})
		if err == nil {
			_ = p.k.Sleep(ctx, p.costs.Acknowledge)
			p.settle(batch)
			batch = rest
		}
		if len(batch) > 0 {
			_ = p.k.Sleep(ctx, resend)
		}
	}
}

// settle tells who waits for the records that the broker has decided on.
func (p *producer) settle(batch []*sending) {
	kept := p.queue[:0]
	for _, s := range p.queue {
		if !s.done {
			kept = append(kept, s)
		}
	}
	p.queue = kept
	for _, s := range batch {
		if s.done {
			s.cond.Broadcast()
		}
	}
}

// take has the broker decide on a record; false if it cannot take it for now. One whose answer is
// lost is sent again, and recognised: the producer is idempotent.
func (b *kafka) take(s *sending) bool {
	size := size(s.record)
	partition := ledger.PartitionOf(s.record.Key, len(b.input))
	if s.record.Topic == outputTopic {
		if b.largest > 0 && size > b.largest {
			s.done, s.err = true, fmt.Errorf("%d bytes: %w", size, flusher.ErrRecordTooLarge)
			return true
		}
		if b.failing[partition] > 0 {
			return false
		}
	}
	s.done = true
	r := ledger.Record{Partition: partition, Offset: b.offset, Key: s.record.Key, Value: s.record.Value,
		Headers: make([]ledger.Header, 0, len(s.record.Headers))}
	for _, h := range s.record.Headers {
		r.Headers = append(r.Headers, ledger.Header{Key: h.Key, Value: h.Value})
	}
	b.k.Note(s.record.Topic, int64(partition), b.offset, int64(size))
	if s.record.Topic == letterTopic {
		b.sink.DeadLetter(b.k.Now(), r)
	} else {
		b.sink.Output(b.k.Now(), r)
	}
	b.offset++
	b.on.load(perKB(size, b.check))
	return true
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
