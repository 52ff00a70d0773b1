package wall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/harness"
	"sluice/internal/load"
	"sluice/internal/options"
)

// sender sends the load when it is due, whether or not the system keeps up.
//
// One generator makes the messages, ahead of time, and deals them out by trace to the producers, so
// that what is sent does not depend on how many there are. An outage of Kafka fails nothing: a
// message waits in its producer's buffer for as long as it takes. When the buffers are full the
// load stands still, and then is late; limit says so. Only when the load is over does a Kafka
// that acknowledges nothing end the run, after the patience.
type sender struct {
	generator *load.Generator
	sink      *harness.Sink
	topic     string
	over      time.Duration // the load, since its start
	patience  time.Duration
	producers []*producer
	shifts    []atomic.Int64 // of the messages' timestamps, in nanoseconds, by partition

	start  time.Time
	behind atomic.Int64 // the greatest delay of a message, in nanoseconds
	full   fullness
	acks   acks
}

// Of all producers together, what Kafka has not acknowledged is bounded: an open loop must not stop
// for a slow broker, but a dead one must not fill the memory.
const (
	inFlightMax      = 1 << 20 // messages
	inFlightBytesMax = 1 << 30 // of their keys and values
)

// Wait between two tries: the client's own, of some seconds each, would be added to every outage.
const (
	sendMetadataAge = 250 * time.Millisecond
	sendBackoff     = 200 * time.Millisecond
)

// newSender connects the producers of a scenario. Its patience with a dead Kafka is drain_max.
func newSender(s *System) (*sender, error) {
	sc := s.setup.Scenario
	out := &sender{
		generator: s.setup.Load, sink: s.setup.Sink, topic: s.input,
		over: sc.Duration, patience: sc.Expectations.DrainMax,
		shifts: make([]atomic.Int64, sc.Topology.Partitions),
	}
	count := sc.Workload.Producers
	for range count {
		client, err := kgo.NewClient(append(s.harnessOpts(),
			kgo.RecordPartitioner(kgo.ManualPartitioner()),
			kgo.ProducerLinger(2*time.Millisecond),
			kgo.ProducerBatchCompression(kgo.NoCompression()),
			kgo.MaxBufferedRecords(inFlightMax/count),
			kgo.MaxBufferedBytes(inFlightBytesMax/count),
			// No RecordDeliveryTimeout: without it, a record is tried until its context ends. A broker
			// that has just started may not know the topic yet.
			kgo.UnknownTopicRetries(-1),
			kgo.MetadataMinAge(sendMetadataAge),
			kgo.RetryBackoffFn(func(int) time.Duration { return sendBackoff }),
		)...)
		if err != nil {
			out.close()
			return nil, err
		}
		out.producers = append(out.producers, &producer{sender: out, client: client})
	}
	return out, nil
}

func (s *sender) close() {
	for _, p := range s.producers {
		p.client.Close()
	}
}

// run sends everything, and returns when Kafka has acknowledged it.
func (s *sender) run(ctx context.Context, start time.Time) error {
	s.start = start
	ctx, giveUp := context.WithCancelCause(ctx)
	var sending, watching sync.WaitGroup
	defer watching.Wait()
	defer giveUp(nil)
	queues, errs := make([]chan []load.Message, len(s.producers)), make([]error, len(s.producers))
	for i, p := range s.producers {
		queues[i] = make(chan []load.Message, roundsAhead)
		sending.Go(func() { errs[i] = p.run(ctx, queues[i]) })
	}
	watching.Go(func() { s.watch(ctx, giveUp) })
	s.deal(ctx, queues)
	sending.Wait()
	if errors.Join(errs...) != nil {
		return context.Cause(ctx)
	}
	return s.acks.failure()
}

const (
	// roundMessages is how many messages are dealt out at a time, and roundsAhead how many rounds
	// may wait for their time: enough that a producer never waits for the generator.
	roundMessages = 512
	roundsAhead   = 8
)

// deal hands out all messages in rounds. Every producer gets its part of a round before the next
// round is made, so that no message stays behind while others, due later, go out.
func (s *sender) deal(ctx context.Context, queues []chan []load.Message) {
	defer func() {
		for _, queue := range queues {
			close(queue)
		}
	}()
	for more := true; more; {
		parts := make([][]load.Message, len(queues))
		for range roundMessages {
			var m load.Message
			if more = s.generator.Next(&m); !more {
				break
			}
			at := s.producerOf(m.Root)
			parts[at] = append(parts[at], m)
		}
		for i, part := range parts {
			if len(part) == 0 {
				continue
			}
			select {
			case queues[i] <- part:
			case <-ctx.Done():
				return
			}
		}
	}
}

// producerOf returns the producer of a trace.
func (s *sender) producerOf(root uint64) int {
	if len(s.producers) == 1 {
		return 0
	}
	return int(s.generator.Trace(root)[0]) % len(s.producers)
}

// watchEvery is how often the sender looks whether Kafka still answers.
const watchEvery = 50 * time.Millisecond

// watch gives up when the load is over and Kafka has acknowledged nothing for as long as patience.
func (s *sender) watch(ctx context.Context, giveUp context.CancelCauseFunc) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		waiting, last := s.acks.state()
		if quiet := time.Since(s.start) - max(s.over, last); waiting > 0 && quiet > s.patience {
			giveUp(fmt.Errorf("send to the input topic: the load is over, and for %v Kafka has "+
				"acknowledged nothing, with %s waiting for it", s.patience, options.FormatCount(waiting, "message")))
			return
		}
	}
}

// allPartitions is the partition of a clock that jumps for all.
const allPartitions = -1

// jump shifts the Kafka timestamps of all messages from now on, or, unless partition is
// allPartitions, of those of one partition, beside what other jumps shift them by; the same the other way
// ends it. Kafka refuses, by default, what is more than an hour ahead of its clock.
func (s *sender) jump(partition int32, by time.Duration) {
	for i := range s.shifts {
		if partition == allPartitions || i == int(partition) {
			s.shifts[i].Add(int64(by))
		}
	}
}
