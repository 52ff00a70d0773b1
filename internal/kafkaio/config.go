package kafkaio

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"sluice/flusher"
	"sluice/internal/check"
	"sluice/internal/route"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Mechanism is how a client proves who it is.
type Mechanism string

// The mechanisms. NoSASL is the zero value.
const (
	NoSASL      Mechanism = ""
	Plain       Mechanism = "plain"
	ScramSHA256 Mechanism = "scram-sha-256"
	ScramSHA512 Mechanism = "scram-sha-512"
)

// SASL is a login. The zero value means none.
type SASL struct {
	Mechanism Mechanism
	User      string
	Password  Secret
}

// Config says how to reach a cluster: what every client of it has in common.
type Config struct {
	// Brokers are "host:port" addresses, of which one must answer.
	Brokers []string
	// Routes are addresses to dial in place of others, where the one that a broker announces is not
	// the way to it: a forwarded port, a proxy. Nil: none.
	Routes map[string]string
	// ClientID names the client in the brokers' logs and quotas.
	ClientID string
	// TLS is used for every connection, and asked for each; nil means plain text.
	TLS route.Private
	// SASL is the login; the zero value means none.
	SASL SASL
	// Dial replaces the way connections are made, for tests; nil means TCP. Not together with TLS or
	// Routes.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// CheckTimeout bounds each question that is asked at start. Default 10 s.
	CheckTimeout time.Duration
	// Hooks observe the clients (metrics).
	Hooks []kgo.Hook
	// Log receives what an operator must know; nil means slog.Default().
	Log *slog.Logger
}

// DefaultConfig returns a config for these brokers: plain text, no login.
func DefaultConfig(brokers ...string) Config {
	return Config{Brokers: brokers, ClientID: "sluice", CheckTimeout: 10 * time.Second}
}

// Validate returns every fault of the config, joined, or nil.
func (c Config) Validate() error {
	var f check.Faults
	f.When(len(c.Brokers) == 0, "no kafka broker is named: want host:port")
	hostPort := func(address string) {
		_, port, err := net.SplitHostPort(address)
		f.When(err != nil || port == "", "kafka broker %q is not host:port", address)
	}
	for _, broker := range c.Brokers {
		hostPort(broker)
	}
	for broker, way := range c.Routes {
		hostPort(broker)
		hostPort(way)
	}
	f.When(c.CheckTimeout <= 0, "kafka check timeout %v must be positive", c.CheckTimeout)
	f.When(c.Dial != nil && c.TLS != nil, "kafka dial and tls exclude each other")
	f.When(c.Dial != nil && len(c.Routes) > 0, "kafka dial and routes exclude each other")
	_, err := c.SASL.mechanism()
	f.Add(err)
	return f.Err()
}

// mechanism returns nil if there is no login.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism == NoSASL {
		if s.User != "" || s.Password != "" {
			return nil, errors.New("kafka user or password without a sasl mechanism: " +
				"want plain, scram-sha-256 or scram-sha-512")
		}
		return nil, nil
	}
	if s.User == "" || s.Password == "" {
		return nil, fmt.Errorf("kafka sasl %s needs a user and a password", s.Mechanism)
	}
	switch s.Mechanism {
	case Plain:
		return plain.Auth{User: s.User, Pass: string(s.Password)}.AsMechanism(), nil
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: string(s.Password)}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: string(s.Password)}.AsSha512Mechanism(), nil
	}
	return nil, fmt.Errorf("kafka sasl mechanism %q is unknown: want plain, scram-sha-256 or "+
		"scram-sha-512", s.Mechanism)
}

// options are those of every client of the cluster, whose attempts to connect are brokers' to hear.
func (c Config) options(brokers kgo.Hook) []kgo.Opt {
	return append(c.Dialing(),
		kgo.WithHooks(brokers),
		kgo.WithHooks(c.Hooks...),
		// The client's own 5 s each would be added to every outage and every change of a leader.
		kgo.MetadataMinAge(metadataAgeMin),
		kgo.MetadataMaxAge(metadataAgeMax),
		kgo.RetryBackoffFn(backoff),
		// Telemetry would be one more connection that fails when brokers are away.
		kgo.DisableClientMetrics(),
	)
}

// Dialing is how a client comes to the brokers and logs in, for those who are no part of a pipeline.
func (c Config) Dialing() []kgo.Opt {
	opts := []kgo.Opt{kgo.SeedBrokers(c.Brokers...), kgo.ClientID(c.ClientID)}
	switch {
	case c.Dial != nil:
		opts = append(opts, kgo.Dialer(c.Dial))
	case len(c.Routes) > 0 || c.TLS != nil:
		opts = append(opts, kgo.Dialer(c.dialRoute))
	}
	if mechanism, err := c.SASL.mechanism(); err == nil && mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts
}

// dialRoute connects to a broker, by its route if it has one, and with the certificates of the moment.
func (c Config) dialRoute(ctx context.Context, _, address string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: min(dialMax, c.CheckTimeout)}
	return route.Dial(ctx, c.Routes, address, dialer, c.TLS)
}

const (
	// dialMax bounds connecting to a broker, as the client itself does where it dials.
	dialMax = 10 * time.Second
	// metadataAgeMin is how often a client asks at most who leads a partition.
	metadataAgeMin = 250 * time.Millisecond
	// metadataAgeMax is how often it asks at least, and so how long a partition that was added is not
	// read.
	metadataAgeMax = 10 * time.Second
	// backoffMin and backoffMax bound the wait between two attempts; it doubles from the one to
	// the other, and a tenth of it is random, so that clients do not come back in step.
	backoffMin = 50 * time.Millisecond
	backoffMax = time.Second
)

// backoff returns how long to wait after so many failed attempts in a row.
func backoff(attempts int) time.Duration {
	wait := flusher.Backoff(backoffMin, backoffMax, attempts-1)
	return wait - rand.N(wait/10)
}

func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.Default()) }

// where names the cluster in errors.
func (c Config) where() string { return "kafka " + strings.Join(c.Brokers, ",") }
