package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/redis/rueidis"

	"sluice/buffer"
	"sluice/internal/route"
)

// Store is a buffer.Store on Redis. It is safe for concurrent use.
type Store struct {
	config      Config
	tracePrefix string
	client      rueidis.Client
	server      server
	cluster     bool
	fake        bool // miniredis
	scripts     scripts
	slice, part int // how many entries one call on a shard, and spans one call of Ack, brings at most
	small       int // see smallMax
	readFirst   int // see readFirstMin
	doubts      []string
	// leastEpoch returns what an epoch is at least that no other one was before: so those of a Redis
	// that lost the last ones are above them all the same.
	leastEpoch func() buffer.Epoch
	markers    *markers
	slices     *otherSlices

	compressor   *zstd.Encoder // nil for none
	decompressor *zstd.Decoder
}

var (
	_ buffer.Store     = (*Store)(nil)
	_ buffer.Inspector = (*Store)(nil)
	_ buffer.Auditor   = (*Store)(nil)
)

// MinVersion is the oldest major version of Redis that has what the scripts need.
const MinVersion = 7

// redirectionsMax is how often a call follows a cluster that moves slots before it counts as
// unavailable.
const redirectionsMax = 16

// compressWindow bounds the memory of a compressor; most blobs are smaller by far.
const compressWindow = 256 << 10

// Open connects to Redis and refuses servers on which spans could get lost. It returns an error
// that wraps buffer.ErrUnavailable if no address answers.
func Open(ctx context.Context, config Config) (*Store, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	server, err := config.probe(ctx)
	if err != nil {
		return nil, err
	}
	s := &Store{
		config:      config,
		tracePrefix: tracePrefix(config.Namespace),
		server:      server,
		cluster:     server.mode == "cluster",
		fake:        server.name == "miniredis",
		leastEpoch:  func() buffer.Epoch { return buffer.Epoch(time.Now().UnixMicro()) },
		markers:     &markers{},
		slices:      &otherSlices{},
		slice:       sliceMax,
		part:        buffer.AttachSpansMax,
		small:       smallMax,
		readFirst:   readFirstMin,
	}
	s.scripts = newScripts(!s.fake)
	if s.client, err = config.client(s.cluster); err != nil {
		return nil, fmt.Errorf("redis %s: %w", strings.Join(config.Addresses, ","),
			classify(ctx, err))
	}
	if err := s.prepare(ctx); err != nil {
		s.client.Close()
		return nil, err
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context) error {
	if err := s.checkNodes(ctx); err != nil {
		return err
	}
	var err error
	s.decompressor, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0))
	if err == nil && s.config.Compression {
		s.compressor, err = zstd.NewWriter(nil,
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(compressWindow))
	}
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

func tracePrefix(namespace string) string { return namespace + "t:" }

// Fork returns a store on the same connections, without a slice, that keeps segments of at most so
// many bytes in a namespace of its own. It is not to be closed.
func (s *Store) Fork(namespace string, max buffer.Bytes) *Store {
	fork := *s
	fork.config.Namespace, fork.config.Slice = namespace, ""
	fork.config.MaxSegmentBytes = max
	fork.tracePrefix = tracePrefix(namespace)
	fork.markers, fork.slices = &markers{}, &otherSlices{}
	return &fork
}

// Close ends all connections. Calls in flight fail.
func (s *Store) Close() {
	s.client.Close()
	s.decompressor.Close()
}

// client connects to a cluster or to a single server.
func (c Config) client(cluster bool) (rueidis.Client, error) {
	options := c.options(cluster)
	if cluster {
		return rueidis.NewClient(options)
	}
	conns := &connections{config: c, open: map[*connection]time.Time{}}
	options.DialCtxFn = conns.dial
	client, err := rueidis.NewClient(options)
	if err != nil {
		return nil, err
	}
	return &redialing{client, conns}, nil
}

// options are the client's. A node of a cluster is asked as a single server too, when probed.
func (c Config) options(cluster bool) rueidis.ClientOption {
	return rueidis.ClientOption{
		DialCtxFn: func(
			ctx context.Context, address string, dialer *net.Dialer, _ *tls.Config,
		) (net.Conn, error) {
			return route.Dial(ctx, c.Routes, address, dialer, c.TLS)
		},
		InitAddress: c.Addresses,
		Username:    c.Username,
		Password:    c.Password,
		TLSConfig:   c.TLS.Config(), // that there is one is all that it is for
		// A server that has not said anything for so long is asked whether it is there, and has
		// AnswerTimeout for that.
		Dialer:            net.Dialer{Timeout: c.DialTimeout, KeepAlive: c.askAfter()},
		ConnWriteTimeout:  c.AnswerTimeout,
		DisableCache:      true,
		ForceSingleClient: !cluster,
		PipelineMultiplex: 1,
		// Waiting and trying again is the caller's, who can say so; the client would do it
		// forever with what only reads.
		DisableRetry:  true,
		ClusterOption: rueidis.ClusterOption{MaxMovedRedirections: redirectionsMax},
	}
}

// askAfter is how long a server may be silent until it is asked whether it is there: a second, the
// client's default, but not so long that an AnswerTimeout would not bound the whole.
func (c Config) askAfter() time.Duration { return min(time.Second, c.AnswerTimeout/2) }

// server is what a server says about itself.
type server struct {
	name, version, mode string
}

// probe asks all addresses at once what they are, and returns the first answer: nodes that hang do not add
// up, and an end of ctx is not waited for.
func (c Config) probe(ctx context.Context) (server, error) {
	type answer struct {
		at int
		server
		err error
	}
	answers := make(chan answer, len(c.Addresses))
	for at, address := range c.Addresses {
		one := c
		one.Addresses = []string{address}
		go func() {
			found, err := one.probeOne(ctx)
			answers <- answer{at, found, err}
		}()
	}
	faults := make([]error, len(c.Addresses))
	for range c.Addresses {
		select {
		case <-ctx.Done():
			return server{}, ctx.Err()
		case a := <-answers:
			address := c.Addresses[a.at]
			if a.err == nil {
				return a.server, c.acceptable(address, a.server)
			}
			faults[a.at] = fmt.Errorf("redis %s: %w", address, a.err)
		}
	}
	return server{}, errors.Join(faults...)
}

func (c Config) probeOne(ctx context.Context) (server, error) {
	client, err := rueidis.NewClient(c.options(false))
	if err != nil {
		return server{}, classify(ctx, err)
	}
	defer client.Close()
	answer, err := client.Do(ctx, client.B().Arbitrary("HELLO", "3").Build()).AsMap()
	if err != nil {
		return server{}, classify(ctx, err)
	}
	text := func(field string) string {
		message := answer[field]
		value, _ := message.ToString()
		return value
	}
	return server{name: text("server"), version: text("version"), mode: text("mode")}, nil
}

// acceptable tells whether a server is one that the store can work with.
func (c Config) acceptable(address string, found server) error {
	if found.name == "miniredis" {
		return nil
	}
	major, err := majorVersion(found.version)
	switch {
	case err != nil:
		return fmt.Errorf("redis %s: %w", address, err)
	case major < MinVersion:
		return fmt.Errorf("redis %s is version %s, want %d or later",
			address, found.version, MinVersion)
	case found.mode == "sentinel":
		return fmt.Errorf("redis %s is a sentinel, want the server it watches", address)
	case found.mode != "cluster" && len(c.Addresses) > 1:
		return fmt.Errorf("redis %s is a single server, so %d addresses cannot be one store: "+
			"give one address, or the nodes of one cluster", address, len(c.Addresses))
	}
	return nil
}

func majorVersion(version string) (int, error) {
	text, _, _ := strings.Cut(version, ".")
	major, err := strconv.Atoi(text)
	if err != nil || major < 0 {
		return 0, fmt.Errorf("version %q is not one of Redis, want %d.0.0 or later", version, MinVersion)
	}
	return major, nil
}

// Server returns what the server says it is: "redis 7.0.15, standalone".
func (s *Store) Server() string {
	return fmt.Sprintf("%s %s, %s", s.server.name, s.server.version, s.server.mode)
}

// Doubts returns what was found at Open that does no harm now and may do later, in words.
func (s *Store) Doubts() []string { return s.doubts }

// InfoField finds "name:value" among the lines of INFO.
func InfoField(info, name string) (string, bool) {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
