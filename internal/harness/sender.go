package harness

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/ledger"
	"sluice/internal/load"
)

// sender sends the load when it is due, whether or not the system keeps up.
type sender struct {
	client    *kgo.Client
	generator *load.Generator
	ledger    *ledger.Ledger
	topic     string

	behind atomic.Int64 // the greatest delay of a message, in nanoseconds
	once   sync.Once
	failed error
}

// inFlightMax bounds the messages that Kafka has not acknowledged: an open loop must not stop for
// a slow broker, but a dead one must not fill the memory.
const inFlightMax = 1 << 20

func newSender(s *endpoints, g *load.Generator, l *ledger.Ledger) (*sender, error) {
	client, err := kgo.NewClient(append(s.harnessOpts(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(2*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.MaxBufferedRecords(inFlightMax),
		kgo.RecordDeliveryTimeout(time.Minute),
	)...)
	if err != nil {
		return nil, err
	}
	return &sender{client: client, generator: g, ledger: l, topic: s.input}, nil
}

// tick is how far ahead of its time a message may be sent: sleeping for less costs more than it
// gives.
const tick = time.Millisecond

// run sends everything, and returns when Kafka has acknowledged it.
func (s *sender) run(ctx context.Context, start time.Time) error {
	var m load.Message
	for s.generator.Next(&m) {
		if ahead := m.At - time.Since(start); ahead > tick {
			select {
			case <-time.After(ahead):
			case <-ctx.Done():
				return ctx.Err()
			}
		} else if -ahead > time.Duration(s.behind.Load()) {
			s.behind.Store(int64(-ahead))
		}
		s.ledger.Sent(m.Seq, m.Root)
		s.client.Produce(ctx, &kgo.Record{
			Topic: s.topic, Partition: m.Partition, Key: m.Key, Value: m.Value,
		}, s.acknowledged)
	}
	if err := s.client.Flush(ctx); err != nil {
		return err
	}
	return s.failed
}

func (s *sender) acknowledged(_ *kgo.Record, err error) {
	if err != nil {
		s.once.Do(func() { s.failed = fmt.Errorf("send to the input topic: %w", err) })
	}
}

func (s *sender) close() { s.client.Close() }
