#!/usr/bin/env bash
# Runs all tests, real servers included, and then looks for processes and files that the tests left
# behind. With arguments, runs `go test -race` with these.
#
# By default, two jobs run at a time, the longest first: more than cores are too many, since each starts
# processes. Some run without the race detector, under which they take two to five times as long:
# packages that spend their time in the virtual world, where one goroutine at a time runs, or that
# compute and draw; and tests that do very often what others do under it. What it could find in the
# former is run under it by the tests of sim and of the harness, and by some of cmd/simulate; the
# digests of the library are the same with it and without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

unraced=(buffer/storetest sim/explore internal/museum internal/diff internal/capacity internal/certainty
  internal/compare internal/config internal/purity internal/rundir internal/shrink internal/swarm
  internal/usl reports)
waits='^TestCheckBackendThatEndsEarly$' # for servers that hang, with next to nothing to do meanwhile
often='^(TestDefectsAreCaught|TestProperty|TestPropertyOrderIndependence|TestNoCallWorksForLong|TestGiantTraces)$'
# Each is a call of go test, without its other flags.
jobs=(
  "-race -skip $often ./internal/harness"
  "-skip $waits ./cmd/simulate"
  "-race ./internal/e2e"
  "-run $often ./internal/harness"
  "-race ./internal/kafkaio"
  "-race ./internal/pipeline"
  "-run $often ./buffer/redisstore"
  "-race -run TestRun|TestSeeds|TestSweep|TestReplay$|TestProgress|TestClean ./cmd/simulate"
  "-race -skip $often ./buffer/redisstore"
  "-race ./cmd/run"
  "-parallel 4 -run $waits ./cmd/simulate"
  "-race ./internal/servers"
  "-race ./sim"
  "-run ^TestTwice$ ./sim"
  "-race ./internal/worlds/wall"
  "${unraced[*]/#/./}"
)
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

# What runs under it is marked. Property tests draw the same cases each time: what a new one finds is the fault
# of no commit, and is looked for by make property, make fuzz and make seeds.
marked=(env "$mark" TMPDIR="$tmp" SLUICE_SEED="${SLUICE_SEED:-1}")
rc=0
if [ $# -gt 0 ]; then
  "${marked[@]}" go test -p 2 -timeout 15m -race "$@" || rc=$?
else
  # What is not in a job of its own. All of it is compiled first, or two jobs would do so at once.
  go build -race ./...
  own=$(printf '%s\n' "${jobs[@]}" | grep -o '\./[^ ]*' | sed 's,^\.,sluice,')
  others=$(go list ./... | grep -vxF "$own" | tr '\n' ' ')
  printf '%s\n' "-race $others" "${jobs[@]}" | "${marked[@]}" xargs -P 2 -I JOB \
    bash -c 'set -f; go test -p 1 -timeout 15m $1 || exit 1' job JOB || rc=1
fi
none_left || rc=1
exit "$rc"
