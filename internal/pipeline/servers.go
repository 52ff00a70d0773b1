package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"sluice/buffer"
	"sluice/buffer/redisstore"
	"sluice/internal/kafkaio"
)

// Redis says where the buffer is.
type Redis struct {
	// Addresses are "host:port": one server, or nodes of one cluster.
	Addresses []string
	// Routes are addresses to dial in place of others, as redisstore.Config has them. Nil: none.
	Routes map[string]string
	// User and Password are those of an ACL user; a password alone is the default user's.
	User     string
	Password kafkaio.Secret
	TLS      TLS
	// Namespace is put before every key; Slice separates queues.
	Namespace, Slice string
	// Compression stores spans compressed with zstd where that pays.
	Compression bool
}

// DefaultRedis returns a single server on the usual local port.
func DefaultRedis() Redis {
	d := redisstore.DefaultConfig()
	return Redis{Addresses: d.Addresses, Namespace: d.Namespace, Compression: d.Compression}
}

// Validate returns every fault, joined, or nil. It reads no file.
func (r Redis) Validate() error {
	return errors.Join(r.config(buffer.NoSegmentLimit).Validate(), r.TLS.validate("redis"))
}

// config returns the store's own configuration, without TLS.
func (r Redis) config(max buffer.Bytes) redisstore.Config {
	c := redisstore.DefaultConfig()
	c.Addresses, c.Routes = r.Addresses, r.Routes
	c.Username, c.Password = r.User, string(r.Password)
	c.Namespace, c.Slice = r.Namespace, r.Slice
	c.Compression = r.Compression
	c.MaxSegmentBytes = max
	return c
}

// name names the store: of another namespace, or slice, the queues are others.
func (r Redis) name() string { return r.Namespace + "{s:" + r.Slice + "}" }

// Open connects to the store. An answer is waited for no longer than answerMax: a worker that waits
// for a Redis that hangs must show that it lives before it counts as hung itself. The log, which may be
// nil, hears of certificates that are renewed.
func (r Redis) Open(
	ctx context.Context, log *slog.Logger, max buffer.Bytes, answerMax time.Duration,
) (*redisstore.Store, error) {
	c := r.config(max)
	c.DialTimeout = min(c.DialTimeout, answerMax)
	c.AnswerTimeout = min(c.AnswerTimeout, answerMax)
	var err error
	if c.TLS, err = r.TLS.Load(log); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return redisstore.Open(ctx, c)
}

// Kafka says where the topics are.
type Kafka struct {
	// Brokers are "host:port", of which one must answer.
	Brokers []string
	// Routes are addresses to dial in place of others, as kafkaio.Config has them. Nil: none.
	Routes map[string]string
	// ClientID names the clients in the brokers' logs. Default "sluice".
	ClientID string
	SASL     kafkaio.SASL
	TLS      TLS
}

// DefaultKafka returns a broker on the usual local port.
func DefaultKafka() Kafka {
	return Kafka{Brokers: []string{"127.0.0.1:9092"}, ClientID: "sluice"}
}

// Validate returns every fault, joined, or nil. It reads no file.
func (k Kafka) Validate() error {
	return errors.Join(k.config().Validate(), k.TLS.validate("kafka"))
}

// config returns the clients' own configuration, without TLS.
func (k Kafka) config() kafkaio.Config {
	c := kafkaio.DefaultConfig(k.Brokers...)
	c.ClientID, c.SASL, c.Routes = k.ClientID, k.SASL, k.Routes
	return c
}

// Connection returns what every client of this process is made with.
func (k Kafka) Connection(log *slog.Logger) (kafkaio.Config, error) {
	c := k.config()
	c.Log = log
	var err error
	if c.TLS, err = k.TLS.Load(log); err != nil {
		return c, fmt.Errorf("kafka: %w", err)
	}
	return c, nil
}
