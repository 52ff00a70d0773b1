package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"sluice/flusher"
	"sluice/internal/ledger"
	"sluice/sim/kernel"
)

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
	decided   bool // the broker takes it, or never will
	done      bool // and its producer has heard of that
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
		sent, breaks := l.k.Elapsed(), l.conn.breaks
		err := l.conn.ask(ctx, patient, cost, bytes, func() (int, time.Duration) {
			rest = nil
			l.on.load(l.harness.Request)
			for _, s := range batch {
				if !s.decided && !l.take(s, sent) {
					rest = append(rest, s)
				}
			}
			return small, 0
		})
		if err == nil {
			_ = l.k.Sleep(ctx, l.costs.Acknowledge)
			if l.conn.whole(answers, breaks) { // else the broker has not said so yet
				l.settle(batch)
				batch = rest
			}
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
	for _, s := range batch {
		s.done = s.decided
	}
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
	failing := b.refuses > 0
	if s.record.Topic == outputTopic {
		if b.largest > 0 && size > b.largest {
			s.decided, s.err = true, fmt.Errorf("%d bytes: %w", size, flusher.ErrRecordTooLarge)
			return true
		}
		failing = b.failing[partition] > 0
	}
	if failing {
		return false
	}
	if leader := &b.deposed[partition]; leader.lacks > 0 {
		// Its successor may have what the leader was given just before, but nobody says so.
		if sent < leader.since && !s.kept && b.elections.IntN(2) == 0 {
			b.keep(s, size)
		}
		return false
	}
	s.decided = true
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
