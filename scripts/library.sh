#!/usr/bin/env bash
# Runs every scenario of the library that a world can do, JOBS at a time (default 4, and 2 with servers
# of their own), and says how each ended; for one that did not pass, the whole output follows. Arguments
# are flags of "simulate run": scripts/library.sh --world real --servers start.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

[ $# -gt 0 ] || set -- --world fakes
work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-library-XXXXXX")
failed=0
trap '[ "$failed" != 0 ] || rm -rf "$work"' EXIT
go build -o bin/simulate ./cmd/simulate

# one NAME FLAG... runs a scenario and leaves its exit code in a file.
one() {
  local name=$1 rc=0 began=$SECONDS verdict
  shift
  within 5m bin/simulate run "$name" "$@" --out "$work/$name" >"$work/$name.log" 2>&1 || rc=$?
  verdict=$(tail -n 1 "$work/$name.log")
  printf '%-20s %3ds  %s\n' "$name" $((SECONDS - began)) "$verdict"
  if [ "$rc" != 0 ]; then
    sed "s/^/    $name: /" "$work/$name.log"
    echo "$rc" >"$work/$name.failed"
  else
    rm -rf "${work:?}/$name"
  fi
}
export -f within one
export work

names=()
left_out=()
for file in scenarios/library/*.yaml; do
  name=$(basename "$file" .yaml)
  if bin/simulate validate "$name" "$@" >/dev/null 2>"$work/why"; then
    names+=("$name")
  else
    left_out+=("$name: $(head -n 1 "$work/why")")
  fi
done
jobs=4
case " $* " in *" --servers start"*) jobs=2 ;; esac # a broker each
printf '%s\n' "${names[@]}" | xargs -P "${JOBS:-$jobs}" -I NAME bash -c 'one "$@"' one NAME "$@"
# A figure that was missed beside others, or that nobody could tell, and servers or workers that did not come
# up in time: once more, alone. What is safe, and that all ends well, does not depend on the machine.
for failed in "$work"/*.failed; do
  [ -e "$failed" ] || continue
  case $(cat "$failed") in 1 | 13 | 14)
    name=$(basename "$failed" .failed)
    rm -rf "$failed" "${work:?}/$name"
    say "$name once more, alone"
    one "$name" "$@"
    ;;
  esac
done
for reason in "${left_out[@]}"; do say "not possible here: $reason"; done
failed=$(find "$work" -name '*.failed' | wc -l)
echo "library ($*): $((${#names[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
