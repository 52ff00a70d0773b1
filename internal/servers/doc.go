// Package servers starts real Redis, Redis Cluster and Kafka servers as child processes on free
// loopback ports, with all their files in one temporary folder, and stops them. Tests, benchmarks
// and local runs of the real world use it; production connects to servers that are already there.
//
// For tests there is one call per need:
//
//	addr := servers.RedisAddr(t)      // one Redis: shared, or $SLUICE_REDIS
//	addrs := servers.RedisCluster(t)  // three masters: shared, or $SLUICE_REDIS_CLUSTER
//	addr := servers.KafkaAddr(t)      // shared, or $SLUICE_KAFKA
//	r := servers.Redis(t)             // a Redis of the test's own, to stop, freeze, restart
//	c := servers.NewRedisCluster(t)   // a cluster of the test's own
//	k := servers.Kafka(t)             // the shared Kafka with its controls
//	k := servers.NewKafka(t)          // a Kafka of the test's own
//
// Shared servers are started once per test binary, at their first use, and end with the binary.
// Their users keep apart by topic names and key prefixes of their own, and never wipe a server.
//
// Where a server cannot be had (no redis-server, no Kafka jars), these calls skip the test with
// one line that says what to install; under CI=true they fail it.
//
// No server outlives the program that started it, even if that is killed with kill -9: see
// guard.go.
//
// The package keeps no goroutine of its own between calls, so tests that look for leaked
// goroutines need no exception for it.
package servers
