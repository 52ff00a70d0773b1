// Package httpapi serves what an operator asks of a running program: /metrics for Prometheus,
// /healthz and /readyz, which say in words what is wrong, and /debug/pprof.
//
// The same thing has the same label everywhere: worker is the worker's number, shard is the number
// of the shard and of its partition. Times are seconds, sizes are bytes, and every counter ends in
// _total.
package httpapi
