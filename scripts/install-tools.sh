#!/usr/bin/env bash
# Installs what `make test` needs beyond Go, Java and Maven: Redis and Chromium from the
# distribution's packages, Kafka's jars by Maven, the linters. Each step looks first and does nothing
# that is done already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

java_min=17

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null; then sudo "$@"
  else die "need root to run '$*': install it yourself, then run make tools again"
  fi
}

# apt_install PACKAGE... installs without starting any service: policy-rc.d exit 101 means "not
# allowed", so the distribution's Redis never takes port 6379. A policy that was there stays.
apt_install() {
  command -v apt-get >/dev/null || die "no apt-get here: install these by hand: $*"
  local policy=/usr/sbin/policy-rc.d ours=no rc=0
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
  fi
  { as_root apt-get update -q &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  } || rc=$?
  if [ "$ours" = yes ]; then as_root rm -f "$policy"; fi
  return "$rc"
}

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

# The stamp is written last and carries the pom's checksum: a download that was cut short, and a pom
# that changed, are both started afresh.
install_kafka() {
  local stamp
  stamp=$kafka_libs/.complete-$(cksum <scripts/kafka-pom.xml | tr ' ' -)
  [ -e "$stamp" ] && return
  command -v mvn >/dev/null || die "no mvn: Kafka's jars are resolved by Maven (package maven)"
  say "resolving Kafka's jars into ${kafka_libs#"$PWD/"}"
  rm -rf "$kafka_libs"
  mkdir -p "$kafka_libs"
  mvn -q -B -Dstyle.color=never -f scripts/kafka-pom.xml dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$kafka_libs"
  ls "$kafka_libs"/kafka_2.13-*.jar >/dev/null
  touch "$stamp"
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
install_kafka
install_linters
say "tools ready"
