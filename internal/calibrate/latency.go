package calibrate

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/sim"
)

// latencies are what somebody waits for without anybody computing.
type latencies struct {
	hop, acknowledge, fetch []time.Duration
}

const (
	dials = 50
	// singles is how many messages are sent one after the other.
	singles = 200
)

// latency measures what one request at a time waits for.
func (r *rig) latency(ctx context.Context) (*latencies, error) {
	l := &latencies{}
	// The kernel of the other side answers an attempt to connect: nobody computes but for the way.
	dialer := net.Dialer{}
	for i := range dials {
		began := time.Now()
		c, err := dialer.DialContext(ctx, "tcp", r.Redis.Addresses[i%len(r.Redis.Addresses)])
		if err != nil {
			return nil, fmt.Errorf("connect to redis: %w", err)
		}
		l.hop = append(l.hop, time.Since(began)/2)
		_ = c.Close() // nothing was sent
	}
	return l, r.singles(ctx, l, sim.SpreadOf(l.hop).Median)
}

// singles sends single messages, each when the one before it was read.
func (r *rig) singles(ctx context.Context, l *latencies, hop time.Duration) error {
	ends, err := r.ends(ctx, r.Place.Letters)
	if err != nil {
		return err
	}
	from := map[int32]kgo.Offset{0: kgo.NewOffset().At(ends[0])}
	reader, err := r.harness(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.Place.Letters: from}))
	if err != nil {
		return err
	}
	defer reader.Close()
	writer, err := r.harness(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer writer.Close()
	one := func() error {
		began := time.Now()
		record := &kgo.Record{Topic: r.Place.Letters, Value: []byte("sluice calibrate")}
		if err := writer.ProduceSync(ctx, record).FirstErr(); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		acknowledged := time.Since(began)
		if err := reader.PollFetches(ctx).Err(); err != nil {
			return fmt.Errorf("fetch: %w", err)
		}
		l.acknowledge = append(l.acknowledge, max(0, acknowledged-2*hop))
		// The broker lets go of who waits to read when it has the message, not later.
		l.fetch = append(l.fetch, max(0, time.Since(began)-acknowledged))
		return nil
	}
	for range 3 { // connections
		if err := one(); err != nil {
			return err
		}
	}
	l.acknowledge, l.fetch = nil, nil
	for range singles {
		if err := one(); err != nil {
			return err
		}
	}
	return nil
}
