# Shared by the scripts beside it; each of them sources it from the module root.
services=$PWD/.services
kafka_libs=$services/kafka/libs
tools=$services/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# within LIMIT COMMAND... ends what hangs; a Go program then says where each of its goroutines stands. In
# the foreground, or Ctrl-C would not reach it.
within() { timeout --foreground --signal QUIT --kill-after 30s "$@"; }

# once_more COMMAND... runs a scenario on the wall clock, and again if a figure was missed, nobody could
# tell, or servers or workers did not come up in time (exit codes 13, 14 and 1): what is safe, and that all
# ends well, does not depend on the machine.
once_more() {
  local rc=0
  "$@" || rc=$?
  case $rc in 1 | 13 | 14)
    say "ended with $rc, once more: $*"
    rc=0
    "$@" || rc=$?
    ;;
  esac
  return "$rc"
}

# patiently COMMAND... tries a download three times.
patiently() {
  local try
  for try in 1 2; do
    ! "$@" || return 0
    say "failed, once more in 5s: $*"
    sleep 5
  done
  "$@"
}

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
  { patiently as_root apt-get update -q &&
    patiently as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
  } || rc=$?
  if [ "$ours" = yes ]; then as_root rm -f "$policy"; fi
  return "$rc"
}

# kafka_jars FOLDER [VERSION] resolves the jars of a Kafka into a folder, of the version of the pom if
# no other is given. The stamp is written last, with the checksum of what was asked for: a download
# that was cut short, and another version or pom, are both started afresh.
kafka_jars() {
  local libs=$1 version=${2:-} stamp
  stamp=$libs/.complete-$({ cat scripts/kafka-pom.xml; echo "$version"; } | cksum | tr ' ' -)
  [ -e "$stamp" ] || resolve_jars
  [ -d "$libs/.prepared" ] || SLUICE_KAFKA_LIBS=$libs go run ./internal/servers/prepare ||
    say "Kafka starts more slowly than it could, see above"
}

# resolve_jars is a part of kafka_jars, whose variables it takes.
resolve_jars() {
  command -v mvn >/dev/null || die "no mvn: Kafka's jars are resolved by Maven (package maven)"
  say "resolving Kafka's jars into ${libs#"$PWD/"}"
  rm -rf "$libs"
  mkdir -p "$libs"
  patiently mvn -q -B -Dstyle.color=never -f scripts/kafka-pom.xml ${version:+-Dkafka.version="$version"} \
    dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$libs"
  ls "$libs/kafka_2.13-${version:-}"*.jar >/dev/null
  touch "$stamp"
}
