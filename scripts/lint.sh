#!/usr/bin/env bash
# Checks form: gofmt, vet, staticcheck, a doc comment on every exported name, and how the documents
# wrap. All five run, then the result is given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

rc=0
# check NAME COMMAND... fails the script at its end if the command fails or prints anything.
check() {
  local name=$1 out status=ok
  shift
  out=$("$@" 2>&1) || status=failed
  if [ -n "$out" ]; then
    printf '%s\n' "$out"
    status=failed
  fi
  say "$name: $status"
  if [ "$status" = failed ]; then rc=1; fi
}

unformatted() { git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l; }
badly_wrapped() {
  git ls-files -z --cached --others --exclude-standard '*.md' ':!*/testdata/*' |
    xargs -0 awk -f scripts/wrap.awk
}

check gofmt unformatted
check vet go vet ./...
check staticcheck "$tools/staticcheck" ./...
check revive "$tools/revive" -config revive.toml ./...
check wrap badly_wrapped
exit "$rc"
