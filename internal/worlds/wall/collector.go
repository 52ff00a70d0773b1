package wall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/buffer"
	"sluice/internal/harness"
	"sluice/internal/ledger"
)

// collector reads the output and dead-letter topics into the ledger, each record once.
type collector struct {
	client  *kgo.Client
	sink    *harness.Sink
	servers *endpoints

	mu     sync.Mutex
	next   map[string]map[int32]int64 // by topic and partition: the offset after the last read
	failed error
}

func newCollector(s *endpoints, sink *harness.Sink) (*collector, error) {
	client, err := kgo.NewClient(append(s.harnessOpts(),
		kgo.ConsumeTopics(s.output, s.letters),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond),
		kgo.MetadataMinAge(50*time.Millisecond),
		// An outage must not last longer for the reader than for the system.
		kgo.RetryBackoffFn(func(int) time.Duration { return sendBackoff }),
	)...)
	if err != nil {
		return nil, err
	}
	c := &collector{client: client, sink: sink, servers: s, next: map[string]map[int32]int64{}}
	c.next[s.output], c.next[s.letters] = map[int32]int64{}, map[int32]int64{}
	return c, nil
}

// run reads until ctx is done.
func (c *collector) run(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := c.client.PollRecords(ctx, 10_000)
		fetches.EachError(func(topic string, partition int32, err error) {
			// Nothing is lost by an outage: the client asks again, and finish waits for the end.
			if !errors.Is(err, context.Canceled) && !kgo.IsRetryableBrokerErr(err) &&
				!kerr.IsRetriable(err) {
				c.fail(fmt.Errorf("read %s, partition %d: %w", topic, partition, err))
			}
		})
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) { c.enter(now, r) })
	}
}

func (c *collector) enter(now time.Time, r *kgo.Record) {
	in := ledger.Record{Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value}
	in.Headers = make([]ledger.Header, len(r.Headers))
	for i, h := range r.Headers {
		in.Headers[i] = ledger.Header{Key: h.Key, Value: h.Value}
	}
	if r.Topic == c.servers.letters {
		c.sink.DeadLetter(now, in)
	} else {
		c.sink.Output(now, in)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next[r.Topic][r.Partition] = r.Offset + 1
}

func (c *collector) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

// finishEvery is how often the end of the output is looked for.
const finishEvery = 20 * time.Millisecond

// finish returns when everything that is in the topics now has been read, beside run.
func (c *collector) finish(ctx context.Context) error {
	ends, err := kadm.NewClient(c.client).ListEndOffsets(ctx, c.servers.output, c.servers.letters)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("find the end of the output: %w", err)
	}
	for {
		missing := ""
		c.mu.Lock()
		failed := c.failed
		ends.Each(func(end kadm.ListedOffset) {
			if at := c.next[end.Topic][end.Partition]; at < end.Offset {
				missing = fmt.Sprintf("%s is read up to %v, and ends at %v", end.Topic,
					buffer.Position{Partition: end.Partition, Offset: at},
					buffer.Position{Partition: end.Partition, Offset: end.Offset})
			}
		})
		c.mu.Unlock()
		if missing == "" || failed != nil {
			return failed
		}
		select {
		case <-time.After(finishEvery):
		case <-ctx.Done():
			return fmt.Errorf("read the output to its end: %s: %w", missing, ctx.Err())
		}
	}
}

func (c *collector) close() { c.client.Close() }
