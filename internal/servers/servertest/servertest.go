// Package servertest hands real servers to tests: one call per need.
//
//	addr := servertest.RedisAddr(t)      // one Redis: shared, or $SLUICE_REDIS
//	addrs := servertest.RedisCluster(t)  // three masters: shared, or $SLUICE_REDIS_CLUSTER
//	addr := servertest.KafkaAddr(t)      // shared, or $SLUICE_KAFKA
//	r := servertest.Redis(t)             // a Redis of the test's own, to stop, freeze, restart
//	c := servertest.NewRedisCluster(t)   // a cluster of the test's own
//	r := servertest.Replica(t, c, 0)     // and a replica of its first node
//	k := servertest.Kafka(t)             // the shared Kafka with its controls
//	k := servertest.NewKafka(t)          // a Kafka of the test's own
//	k := servertest.GuardedKafka(t, l)   // one that has users, and rules for them
//	k := servertest.PrivateKafka(t, pem) // one that speaks TLS
//
// Shared servers are started once per test binary, at their first use, and end with the binary.
// Their users keep apart by topic names and key prefixes of their own, and never wipe a server.
//
// Where a server cannot be had (no redis-server, no Kafka jars), these calls skip the test with
// one line that says what to install; under CI=true they fail it.
package servertest

import (
	"errors"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"sluice/internal/servers"
)

// Names of the environment variables that name servers to use instead of starting some, where a
// test needs no more than an endpoint.
const (
	EnvRedis        = "SLUICE_REDIS"         // one address
	EnvRedisCluster = "SLUICE_REDIS_CLUSTER" // addresses with commas between
	EnvKafka        = "SLUICE_KAFKA"         // addresses with commas between
)

// TB is what the calls need of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// The servers that the tests of a binary share: started at the first use, and the same one, or the
// same error, ever after.
var (
	sharedRedis = sync.OnceValues(func() (*servers.RedisServer, error) {
		return servers.StartRedis()
	})
	sharedCluster = sync.OnceValues(func() (servers.RedisClusterServers, error) {
		return servers.StartRedisCluster(servers.ClusterMastersMin)
	})
	sharedKafka = sync.OnceValues(func() (*servers.KafkaServer, error) {
		return servers.StartKafka(servers.QuickJava)
	})
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
	s, err := sharedRedis()
	must(tb, err)
	return s.Addr
}

// Redis starts a Redis for this test alone, with further arguments in the words of redis-server,
// and stops it when the test ends.
func Redis(tb TB, args ...string) *servers.RedisServer {
	tb.Helper()
	s, err := servers.StartRedis(args...)
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
	c, err := sharedCluster()
	must(tb, err)
	return Addrs(c)
}

// NewRedisCluster starts a three-node Redis Cluster for this test alone.
func NewRedisCluster(tb TB, args ...string) servers.RedisClusterServers {
	tb.Helper()
	c, err := servers.StartRedisCluster(servers.ClusterMastersMin, args...)
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
	s, err := sharedKafka()
	must(tb, err)
	return s.Addr
}

// Kafka is the Kafka that this binary's tests share, with its controls; it starts quickly and is
// not made for throughput (benchmarks want servers.StartKafka). A test that stops or freezes it
// must not run in parallel with others; at the end of the test it runs again.
func Kafka(tb TB) *servers.KafkaServer {
	tb.Helper()
	s, err := sharedKafka()
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
	must(tb, servers.Installed())
}

// NewKafka starts a Kafka for this test alone.
func NewKafka(tb TB) *servers.KafkaServer {
	tb.Helper()
	return GuardedKafka(tb, nil)
}

// GuardedKafka is NewKafka with a listener for users with logins.
func GuardedKafka(tb TB, logins servers.Logins) *servers.KafkaServer {
	tb.Helper()
	s, err := servers.StartGuardedKafka(logins, servers.QuickJava)
	return until(tb, s, err)
}

// PrivateKafka is NewKafka with a listener that speaks TLS; see servers.StartPrivateKafka.
func PrivateKafka(tb TB, pemFile string) *servers.KafkaServer {
	tb.Helper()
	s, err := servers.StartPrivateKafka(pemFile, servers.QuickJava)
	return until(tb, s, err)
}

// until lets a server run until the test ends.
func until(tb TB, s *servers.KafkaServer, err error) *servers.KafkaServer {
	tb.Helper()
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
	case errors.Is(err, servers.ErrMissing) && os.Getenv("CI") != "true":
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

// fromEnv splits a list at its commas; an empty variable names none.
func fromEnv(name string) []string {
	var addrs []string
	for addr := range strings.SplitSeq(os.Getenv(name), ",") {
		if addr = strings.TrimSpace(addr); addr != "" {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// Replica starts a replica of one node of a cluster, for this test alone, and returns when every node
// knows it and it has the data. It takes over some seconds after its primary is gone.
func Replica(tb TB, c servers.RedisClusterServers, node int) *servers.RedisServer {
	tb.Helper()
	bus, err := servers.FreePort()
	must(tb, err)
	replica := Redis(tb, "--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
		"--cluster-port", strconv.Itoa(bus))
	_, port, err := net.SplitHostPort(replica.Addr)
	must(tb, err)
	id, err := c[node].Do("CLUSTER", "MYID")
	must(tb, err)
	_, err = c[node].Do("CLUSTER", "MEET", "127.0.0.1", port, strconv.Itoa(bus))
	must(tb, err)
	within(tb, "it knows its primary", func() bool {
		_, err := replica.Do("CLUSTER", "REPLICATE", id)
		return err == nil
	})
	within(tb, "it follows", func() bool {
		info, err := replica.Do("INFO", "replication")
		return err == nil && strings.Contains(info, "master_link_status:up")
	})
	for _, other := range c {
		within(tb, "all know it", func() bool {
			slots, err := other.Do("CLUSTER", "SLOTS")
			return err == nil && slices.Contains(strings.Fields(slots), port)
		})
	}
	return replica
}

// within waits until something holds of a replica.
func within(tb TB, what string, holds func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(replicaMax); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("a replica of a redis cluster is not ready after %v: not %s", replicaMax, what)
		}
	}
}

// replicaMax is how long it may take until a replica has joined a cluster.
const replicaMax = 30 * time.Second

// Addrs are the addresses of a cluster's nodes.
func Addrs(c servers.RedisClusterServers) []string {
	addrs := make([]string, len(c))
	for i, s := range c {
		addrs[i] = s.Addr
	}
	return addrs
}

// Restart stops a Redis and starts it again on the same port, with all its data or, as after a
// failover to an empty node, with none.
func Restart(s *servers.RedisServer, keepData bool) error {
	if err := s.Halt(keepData); err != nil {
		return err
	}
	return s.Start()
}
