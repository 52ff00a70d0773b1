// Package httpapi serves what an operator asks a running program: /metrics for Prometheus, /healthz
// and /readyz that say in words what is wrong, and /debug/pprof.
//
// One thing has the same label everywhere: worker is the worker's number, shard that of the shard
// and of its partition. Times are seconds, sizes are bytes, and every counter ends in _total.
package httpapi
