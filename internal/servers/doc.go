// Package servers starts real Redis, Redis Cluster and Kafka servers as child processes on free
// loopback ports, with all their files in one temporary folder, and stops them. Tests, benchmarks
// and local runs of the real world use it; production connects to servers that are already there.
//
// Package servertest hands them to tests.
//
// No server outlives the program that started it, even if that is killed with kill -9: see
// guard.go.
//
// The package keeps no goroutine of its own between calls, so tests that look for leaked
// goroutines need no exception for it.
package servers
