#!/usr/bin/env bash
# Runs the benchmarks against real servers, each at least three times, and prints medians.
# BENCH selects by name (default: all), COUNT sets the repeats, BENCHTIME as in go test; arguments
# are packages (default: all).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

count=${COUNT:-3}
[ $# -gt 0 ] || set -- ./...
[ "$count" -ge 3 ] || { echo "error: COUNT=$count: a median needs at least 3 repeats" >&2; exit 2; }

# The whole pipeline (Kafka -> Redis -> Kafka) is BenchmarkPipeline in internal/bench; "ratio" in
# its figures is that to a pass-through of the same records in the same run.
# One package at a time: two would share the cores and spoil both.
go test -run '^$' -bench "${BENCH:-.}" -benchmem -benchtime "${BENCHTIME:-1s}" -count "$count" \
  -p 1 -timeout 60m "$@" | tee /dev/stderr | awk -f scripts/medians.awk
