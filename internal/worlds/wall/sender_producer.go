package wall

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/load"
)

// producer sends its part of the messages over a connection of its own.
type producer struct {
	*sender
	client *kgo.Client
	lag    lag
}

// tick is how far ahead of its time a message may be sent: sleeping for less costs more than it
// gives.
const tick = time.Millisecond

// run sends what is in the queue, each message when it is due, and returns nil when Kafka has
// answered for each.
func (p *producer) run(ctx context.Context, queue <-chan []load.Message) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for part := range queue {
		for i := range part {
			m := &part[i]
			if ahead := m.At - time.Since(p.start); ahead > tick {
				timer.Reset(ahead)
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			p.send(ctx, m)
		}
	}
	return p.client.Flush(ctx)
}

// send enters a message and hands it to the client.
func (p *producer) send(ctx context.Context, m *load.Message) {
	p.sink.Sent(time.Now(), m)
	record := &kgo.Record{Topic: p.topic, Partition: m.Partition, Key: m.Key, Value: m.Value}
	if shift := p.shifts[m.Partition].Load(); shift != 0 || m.Skewed {
		record.Timestamp = m.Timestamp(time.Now().Add(time.Duration(shift)))
	}
	handed := time.Since(p.start)
	p.handed(handed - m.At)
	p.acks.sent()
	p.client.Produce(ctx, record, func(r *kgo.Record, err error) {
		p.acks.received(handed, time.Since(p.start), err)
		p.sink.Waited(time.Now(), m)
		if err == nil {
			p.sink.Placed(m, r.Offset)
		}
	})
	if took := time.Since(p.start) - handed; took > fullAfter {
		p.full.add(handed, handed+took)
	}
}

// handed takes note of a message that is handed over so late.
func (p *producer) handed(late time.Duration) {
	p.lag.add(late, p.full.sum())
	raise(&p.behind, int64(late))
}

// acks is the account of what Kafka acknowledged. Times are since the start of the load.
type acks struct {
	waiting atomic.Int64 // messages
	most    atomic.Int64 // of waiting
	last    atomic.Int64 // when the last one was acknowledged
	longest atomic.Int64 // from handing over to the acknowledgement

	once   sync.Once
	failed error
}

func (a *acks) sent() { raise(&a.most, a.waiting.Add(1)) }

// received is called by the client for each message, with the error if it was not acknowledged.
func (a *acks) received(handed, now time.Duration, err error) {
	a.waiting.Add(-1)
	raise(&a.longest, int64(now-handed))
	if err == nil {
		raise(&a.last, int64(now))
		return
	}
	a.once.Do(func() { a.failed = fmt.Errorf("send to the input topic: %w", err) })
}

func (a *acks) state() (waiting int64, last time.Duration) {
	return a.waiting.Load(), time.Duration(a.last.Load())
}

// failure returns why the first message failed, if one did; when all have been received.
func (a *acks) failure() error { return a.failed }

// raise sets n to at least v.
func raise(n *atomic.Int64, v int64) {
	for {
		old := n.Load()
		if v <= old || n.CompareAndSwap(old, v) {
			return
		}
	}
}
