#!/usr/bin/env bash
# Installs what `make test` needs beyond Go, Java and Maven: Redis and Chromium from the
# distribution's packages, Kafka's jars by Maven, the linters. Each step looks first and does nothing
# that is done already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

java_min=17

install_redis() {
  if ! command -v redis-server >/dev/null || ! command -v redis-cli >/dev/null; then
    say "installing redis-server and redis-tools"
    apt_install redis-server redis-tools
  fi
  local version
  version=$(redis-server --version | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
  [ "${version:-0}" -ge 7 ] || die "redis-server is version ${version:-unknown}, want 7 or later"
}

# Chromium opens the report of a run in a test. Without a font it would draw no text.
install_chromium() {
  command -v chromium >/dev/null && return
  say "installing chromium"
  apt_install chromium fonts-liberation
}

check_java() {
  command -v java >/dev/null || die "no java: want $java_min or later (openjdk-17-jre-headless)"
  local major
  major=$(java -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${major:-0}" -ge "$java_min" ] ||
    die "java is version ${major:-unknown}, want $java_min or later"
}

# The linters are pinned in a module of their own, so that Sluice's go.mod does not list them.
install_linters() {
  go -C tools build -o "$tools/" honnef.co/go/tools/cmd/staticcheck github.com/mgechev/revive
}

# Fetched here, or the first linter to need a module would print that it downloads it, which counts
# as a finding.
install_modules() { go mod download; }

install_modules
install_redis
install_chromium
check_java
kafka_jars "$kafka_libs"
install_linters
say "tools ready"
