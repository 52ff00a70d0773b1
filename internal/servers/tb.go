package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// Names of the environment variables that name servers to use instead of starting some, where a
// test needs no more than an endpoint.
const (
	EnvRedis        = "SLUICE_REDIS"         // one address
	EnvRedisCluster = "SLUICE_REDIS_CLUSTER" // addresses with commas between
	EnvKafka        = "SLUICE_KAFKA"         // addresses with commas between
)

// TB is what the calls for tests need of testing.TB, so that programs do not link the testing
// package.
type TB interface {
	Helper()
	Cleanup(func())
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// shared starts a server at its first use and hands out the same one, or the same error, ever
// after.
type shared[S any] struct {
	start func() (S, error)
	once  sync.Once
	value S
	err   error
}

func (s *shared[S]) get() (S, error) {
	s.once.Do(func() { s.value, s.err = s.start() })
	return s.value, s.err
}

var (
	sharedRedis   = shared[*RedisServer]{start: func() (*RedisServer, error) { return StartRedis() }}
	sharedCluster = shared[RedisClusterServers]{
		start: func() (RedisClusterServers, error) { return StartRedisCluster() },
	}
	sharedKafka = shared[*KafkaServer]{
		start: func() (*KafkaServer, error) { return StartKafka(QuickJava) },
	}
)

// RedisAddr is the address of a single Redis that tests share: $SLUICE_REDIS, or one started for
// this binary.
func RedisAddr(tb TB) string {
	tb.Helper()
	if named := fromEnv(EnvRedis); len(named) > 0 {
		if len(named) > 1 {
			tb.Fatalf("%s=%s: want one address here; a cluster's go in %s",
				EnvRedis, os.Getenv(EnvRedis), EnvRedisCluster)
		}
		return named[0]
	}
	s, err := sharedRedis.get()
	must(tb, err)
	return s.Addr
}

// Redis starts a Redis for this test alone, with further arguments in the words of redis-server,
// and stops it when the test ends.
func Redis(tb TB, args ...string) *RedisServer {
	tb.Helper()
	s, err := StartRedis(args...)
	must(tb, err)
	tb.Cleanup(func() { ended(tb, s.Kill()) })
	return s
}

// RedisCluster is the addresses of a three-node Redis Cluster that tests share:
// $SLUICE_REDIS_CLUSTER, or one started for this binary.
func RedisCluster(tb TB) []string {
	tb.Helper()
	if named := fromEnv(EnvRedisCluster); len(named) > 0 {
		return named
	}
	c, err := sharedCluster.get()
	must(tb, err)
	return c.Addrs()
}

// NewRedisCluster starts a three-node Redis Cluster for this test alone.
func NewRedisCluster(tb TB, args ...string) RedisClusterServers {
	tb.Helper()
	c, err := StartRedisCluster(args...)
	must(tb, err)
	tb.Cleanup(func() {
		for _, s := range c {
			ended(tb, s.Kill())
		}
	})
	return c
}

// KafkaAddr is the bootstrap addresses, commas between, of a Kafka that tests share:
// $SLUICE_KAFKA, or one started for this binary.
func KafkaAddr(tb TB) string {
	tb.Helper()
	if named := fromEnv(EnvKafka); len(named) > 0 {
		return strings.Join(named, ",")
	}
	s, err := sharedKafka.get()
	must(tb, err)
	return s.Addr
}

// Kafka is the Kafka that this binary's tests share, with its controls; it starts quickly and is
// not made for throughput (benchmarks want StartKafka). A test that stops or freezes it must not
// run in parallel with others; at the end of the test it runs again.
func Kafka(tb TB) *KafkaServer {
	tb.Helper()
	s, err := sharedKafka.get()
	must(tb, err)
	tb.Cleanup(func() {
		if !s.Running() {
			ended(tb, s.Start())
			return
		}
		ended(tb, s.Thaw())
	})
	return s
}

// Need ends a test that starts servers by another way, as the calls above do where these cannot be
// had.
func Need(tb TB) {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		must(tb, fmt.Errorf("redis-server is %w", ErrMissing))
	}
	_, err := kafkaJava()
	must(tb, err)
}

// NewKafka starts a Kafka for this test alone.
func NewKafka(tb TB) *KafkaServer {
	tb.Helper()
	s, err := StartKafka(QuickJava)
	must(tb, err)
	tb.Cleanup(func() { ended(tb, s.Kill()) })
	return s
}

// must ends the test when there is no server: skipped where nothing was to be expected, failed
// under CI=true and where the server is installed but would not start.
func must(tb TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing) && os.Getenv("CI") != "true":
		tb.Skipf("real server left out: %v", err)
	default:
		tb.Fatalf("real server: %v", err)
	}
}

func ended(tb TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Errorf("real server: %v", err)
	}
}

// fromEnv splits a list at its commas; an empty variable is none.
func fromEnv(name string) []string {
	var addrs []string
	for addr := range strings.SplitSeq(os.Getenv(name), ",") {
		if addr = strings.TrimSpace(addr); addr != "" {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}
