#!/usr/bin/env bash
# Runs go test with the race detector over everything, real servers included, and then looks for
# processes and files that the tests left behind. Arguments go to go test (default: ./...).
#
# By default, packages whose tests spend their time in the virtual world, or compute and draw, run
# without the detector: one goroutine at a time runs there, so it finds nothing and takes five times as
# long. What it could find in them is run with it by the tests of sim and of the harness, and by some of
# cmd/simulate.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

virtual=(cmd/simulate sim/explore internal/museum internal/diff internal/capacity
  internal/certainty internal/compare internal/shrink internal/swarm internal/usl reports)
mark=SLUICE_TEST_RUN=$$-$(date +%s)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sluice-test-XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# leftovers prints the processes that carry this run's mark or work in its folder; zombies have
# neither. (Redis overwrites its environment with its title, hence the folder.)
leftovers() {
  {
    grep -lzxF "$mark" /proc/[0-9]*/environ
    find /proc/[0-9]* -maxdepth 1 -name cwd -lname "$tmp/*"
  } 2>/dev/null | cut -d / -f 3 | sort -u
}

# Servers end a moment after the test binary that started them.
none_left() {
  local pids files pid
  for _ in $(seq 50); do
    pids=$(leftovers || true)
    files=$(find "$tmp" -mindepth 1 -maxdepth 1 -name 'sluice-*')
    [ -n "$pids$files" ] || return 0
    sleep 0.2
  done
  say "left behind by the tests 10s after their end:" $files
  for pid in $pids; do
    say "  process $pid: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    kill -9 "$pid" || true
  done
  return 1
}

rc=0
# tests runs go test, marked. More tests at once than cores are too many: each starts processes.
tests() { env "$mark" TMPDIR="$tmp" go test -p 2 -timeout 15m "$@" || rc=$?; }

if [ $# -gt 0 ]; then
  tests -race "$@"
else
  tests "${virtual[@]/#/./}"
  left_out=$(printf '%s\n' "${virtual[@]/#/sluice/}")
  mapfile -t others < <(go list ./... | grep -vxF "$left_out")
  tests -race "${others[@]}"
  tests -race -run 'TestRun|TestSeeds|TestSweep|TestReplay$|TestProgress|TestClean' ./cmd/simulate
fi
none_left || rc=1
exit "$rc"
