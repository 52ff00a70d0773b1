#!/usr/bin/env bash
# Runs every fuzz target of every package for FUZZTIME (default 10s); go test takes one at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

go list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r pkg dir; do
  targets=$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go 2>/dev/null || true)
  for target in $targets; do
    echo "== $pkg $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$pkg" </dev/null
  done
done
