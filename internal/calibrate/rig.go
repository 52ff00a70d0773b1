package calibrate

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/buffer"
	"sluice/buffer/codec"
	"sluice/buffer/redisstore"
	"sluice/internal/kafkaio"
	"sluice/internal/pipeline"
)

// rig is what a calibration measures with.
type rig struct {
	Config
	meters
	began      time.Time
	store      *redisstore.Store
	codec      *codec.JSON
	connection kafkaio.Config // of every client of Kafka
	kafka      *kgo.Client    // for questions
	admin      *kadm.Client
	options    buffer.Options
	requests   requestCounter
	number     int64 // of the last delivery
	seed       uint64
	first      []firstRun      // in their order
	read       map[int32]int64 // of the input, by partition, the offset behind what was read
}

// requestCounter counts the requests of all Kafka clients that have to do with records: to produce,
// to fetch, to commit.
type requestCounter struct{ n atomic.Int64 }

var _ kgo.HookBrokerE2E = (*requestCounter)(nil)

// OnBrokerE2E implements kgo.HookBrokerE2E.
func (c *requestCounter) OnBrokerE2E(_ kgo.BrokerMetadata, key int16, _ kgo.BrokerE2E) {
	switch kmsg.Key(key) {
	case kmsg.Produce, kmsg.Fetch, kmsg.OffsetCommit:
		c.n.Add(1)
	}
}

// open connects to the servers.
func open(ctx context.Context, cfg Config) (_ *rig, err error) {
	r := &rig{Config: cfg, began: time.Now(), options: buffer.DefaultOptions(), read: map[int32]int64{}}
	r.codec = codec.New(r.options.MaxSegmentBytes)
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.connection, err = r.Kafka.Connection(slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	if r.redis, r.kafka, err = connect(cfg.Redis, cfg.Kafka); err != nil {
		return nil, err
	}
	r.admin = kadm.NewClient(r.kafka)
	r.Redis.Namespace = cfg.Place.Namespace
	r.store, err = r.Redis.Open(ctx, nil, r.options.MaxSegmentBytes, answerMax)
	return r, err
}

// answerMax is how long a call of the store may take.
const answerMax = 10 * time.Second

// connect connects to both servers.
func connect(redis pipeline.Redis, kafka pipeline.Kafka) (rueidis.Client, *kgo.Client, error) {
	private, err := redis.TLS.Load(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("redis: %w", err)
	}
	connection, err := kafka.Connection(nil)
	if err != nil {
		return nil, nil, err
	}
	r, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: redis.Addresses, DisableCache: true,
		ClientName: clientName, Username: redis.User, Password: string(redis.Password), TLSConfig: private.Config()})
	if err != nil {
		return nil, nil, fmt.Errorf("redis %s: %w", strings.Join(redis.Addresses, ","), err)
	}
	k, err := kgo.NewClient(connection.Dialing()...)
	if err != nil {
		r.Close()
		return nil, nil, fmt.Errorf("kafka %s: %w", strings.Join(kafka.Brokers, ","), err)
	}
	return r, k, nil
}

func (r *rig) close() {
	if r.store != nil {
		r.store.Close()
	}
	if r.kafka != nil {
		r.kafka.Close()
	}
	if r.redis != nil {
		r.redis.Close()
	}
}

// client is what a Kafka client of production is made with here.
func (r *rig) client() kafkaio.Config {
	c := r.connection
	c.Hooks = []kgo.Hook{&r.requests}
	return c
}

// harness is a Kafka client as the harness has them, whose requests count.
func (r *rig) harness(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(slices.Concat(r.connection.Dialing(), []kgo.Opt{kgo.WithHooks(&r.requests)}, opts)...)
}

// ends returns the offsets behind the last messages of a topic, by partition.
func (r *rig) ends(ctx context.Context, topic string) (map[int32]int64, error) {
	listed, err := r.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("find the end of topic %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}
