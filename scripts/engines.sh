#!/usr/bin/env bash
# Tries the engines of engines.txt: each Redis or Valkey with the Store's suite, each Kafka with
# kafkaio's tests of real servers, and two scenarios on each; JOBS at a time (default 2). Arguments
# are names of engines (default: all); --others means all but those of make tools, on which the rest
# of make test runs. What cannot be installed is an error, as is a test that is skipped.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

scenarios=(redis-full rebalance)
engines=$services/engines

declare -A kind what beside version
order=()
while read -r name kind_ what_ beside_; do
  order+=("$name")
  kind[$name]=$kind_ what[$name]=$what_ beside[$name]=$beside_
done < <(grep -v '^#' scripts/engines.txt)

wanted=()
for arg in "${@:-all}"; do
  for name in "${order[@]}"; do
    case $arg in
      all | "$name") wanted+=("$name") ;;
      --others) [ "${kind[$name]}" = tools ] || wanted+=("$name") ;;
    esac
  done
  case " all --others ${order[*]} " in
    *" $arg "*) ;;
    *) die "engine $arg is not one of ${order[*]}" ;;
  esac
done
is_wanted() { case " ${wanted[*]} " in *" $1 "*) ;; *) return 1 ;; esac; }

# wheel FOLDER PACKAGE puts the server in a wheel into the folder, as redis-server. A wheel may be
# made for one version of Python; the server in it needs none.
wheel() {
  local folder=$1 package=$2 tmp machine
  [ "$(cat "$folder/.complete" 2>/dev/null)" != "$package" ] || return 0
  python3 -m pip --version >/dev/null 2>&1 || apt_install python3 python3-pip
  say "downloading $package"
  tmp=$(mktemp -d)
  machine=$(uname -m)
  patiently python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
    --implementation cp --python-version 3.11 --abi cp311 --abi none --platform any \
    --platform "manylinux_2_17_$machine" --platform "manylinux_2_28_$machine" -d "$tmp" "$package"
  python3 -m zipfile -e "$tmp"/*.whl "$tmp/wheel"
  rm -rf "$folder"
  mkdir -p "$folder"
  install -m 755 "$(find "$tmp/wheel" -type f \( -name redis-server -o -name valkey-server \))" \
    "$folder/redis-server"
  echo "$package" >"$folder/.complete"
  rm -rf "$tmp"
}

# get NAME installs an engine where it is missing, and sets its version, which must be the one of its
# name.
get() {
  local name=$1 folder=$engines/$1 libs=$kafka_libs
  case ${kind[$name]} in
    pip) wheel "$folder" "${what[$name]}" ;;
    maven) libs=$folder && kafka_jars "$libs" "${what[$name]}" ;;
  esac
  case $name in
    kafka-*) version[$name]=$(basename "$libs"/kafka_2.13-*.jar .jar | sed 's/.*-//') ;;
    *)
      version[$name]=$(PATH=$folder:$PATH redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')
      ;;
  esac
  case ${version[$name]} in
    "${name#*-}".*) ;;
    *) die "$name is version ${version[$name]}" ;;
  esac
}

# on ENGINE KAFKA COMMAND... runs a command that starts its servers, with these: the server first on
# PATH, the jars in the variable. Servers that somebody else has started are not to be used. None
# takes more than a minute and a half here.
on() {
  local redis=$engines/$1 kafka=$engines/$2
  shift 2
  (
    unset SLUICE_REDIS SLUICE_REDIS_CLUSTER SLUICE_KAFKA SLUICE_KAFKA_LIBS
    [ ! -d "$redis" ] || PATH=$redis:$PATH
    [ ! -d "$kafka" ] || export SLUICE_KAFKA_LIBS=$kafka
    CI=true TMPDIR=$work within 10m "$@"
  )
}

# suite NAME runs the tests of the client, without those that run on no real server: they are the
# same with every engine. scenario NAME KAFKA SCENARIO runs one.
suite() {
  case $1 in
    kafka-*) cd internal/kafkaio && on none "$1" "$work/kafkaio.test" -test.v -test.run Real ;;
    *) cd buffer/redisstore && on "$1" none "$work/redisstore.test" -test.v -test.skip /miniredis ;;
  esac
}
scenario() {
  once_more on "$1" "$2" bin/simulate run "$3" --world real --servers start --out "$work/$1-$3"
}

# job WHAT NAME ARGUMENT... does one of these, and leaves in a file how it ended. What was said of
# failures follows if it did not pass.
job() {
  local name=$2.${4:-$1} began=$SECONDS result=passed log
  log=$work/$name.log
  ("$@") >"$log" 2>&1 || result=FAILED
  if [ "$1" = suite ]; then
    ! grep -q '^ *--- SKIP' "$log" || result="FAILED: skipped"
    grep -q '^ *--- PASS' "$log" || result="FAILED: no test"
    result="$(grep -c '^ *--- PASS' "$log") $result"
  fi
  result+=" ($((SECONDS - began))s)"
  case $result in *FAILED*) grep -v '^=== \|--- PASS' "$log" | sed "s/^/    $*: /" ;; esac
  echo "$result" >"$work/results/$name"
  echo "$*: $result"
}

jobs=()
for name in "${wanted[@]}"; do jobs+=("suite $name"); done
for name in "${order[@]}"; do
  kafka=${beside[$name]}
  if [ "$kafka" != - ] && { is_wanted "$name" || is_wanted "$kafka"; }; then
    get "$name"
    get "$kafka"
    for s in "${scenarios[@]}"; do jobs+=("scenario $name $kafka $s"); done
  fi
done
for name in "${wanted[@]}"; do get "$name"; done

work=$(mktemp -d "${TMPDIR:-/tmp}/sluice-engines-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/results"
go build -o bin/simulate ./cmd/simulate
go test -c -o "$work/redisstore.test" ./buffer/redisstore
go test -c -o "$work/kafkaio.test" ./internal/kafkaio
export work engines
export -f say within once_more on suite scenario job
printf '%s\n' "${jobs[@]}" | xargs -P "${JOBS:-2}" -L 1 bash -c 'job "$@"' job

# row NAME PARTNER prints a line of the table; a scenario is that of a Redis.
row() {
  local name=$1 redis=$1 partner=$2 s
  case $name in kafka-*) redis=$partner ;; esac
  printf '%-11s %-8s %-20s' "$name" "${version[$name]}" "$(cat "$work/results/$name.suite")"
  for s in "${scenarios[@]}"; do printf ' %-20s' "$(cat "$work/results/$redis.$s")"; done
  printf ' %s\n' "$partner"
}
printf '\n%-11s %-8s %-20s' engine version suite
printf ' %-20s' "${scenarios[@]}"
printf ' beside\n'
for name in "${wanted[@]}"; do
  for partner in "${order[@]}"; do
    if [ "${beside[$name]}" = "$partner" ] || [ "${beside[$partner]}" = "$name" ]; then
      row "$name" "$partner"
    fi
  done
done
for name in "${order[@]}"; do
  if ! is_wanted "$name"; then printf '%-11s not tried by this call\n' "$name"; fi
done
failed=$(cat "$work"/results/* | grep -c FAILED || true)
echo "engines: $((${#jobs[@]} - failed)) passed, $failed failed"
[ "$failed" = 0 ]
