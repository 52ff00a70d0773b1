#!/usr/bin/env bash
# Starts a developer's servers unless they are running: Redis on 16379, a Redis Cluster on
# 17001-17003, Kafka on 19092, all on loopback. Prints the variables that name them to tests and
# programs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
. scripts/services.sh

# wait_for NAME SECONDS COMMAND... waits until the command succeeds, and gives up when the server
# has ended.
wait_for() {
  local name=$1 tries=$(($2 * 10))
  shift 2
  until "$@" >/dev/null 2>&1; do
    running "$name" || die "$name ended: $(tail -n 15 "$(log_of "$name")")"
    [ $((tries -= 1)) -gt 0 ] || die "$name is not ready: $(tail -n 15 "$(log_of "$name")")"
    sleep 0.1
  done
}

# redis NAME PORT ARGUMENT... starts one Redis that answers PING.
redis() {
  local name=$1 port=$2
  shift 2
  launch "$name" redis-server --port "$port" --bind 127.0.0.1 --daemonize no \
    --dir "$(data_of "$name")" "$@"
  wait_for "$name" 20 redis-cli -p "$port" --raw -e ping
}

cluster_well() { redis-cli -p "$1" cluster info | grep -q cluster_state:ok; }

redis_cluster() {
  local port nodes=()
  for port in "${cluster_ports[@]}"; do
    redis "redis-$port" "$port" --save "" --cluster-enabled yes --cluster-port $((port + 1000))
    nodes+=("127.0.0.1:$port")
  done
  if ! redis-cli -p "${cluster_ports[0]}" cluster info | grep -q cluster_slots_assigned:16384; then
    redis-cli --cluster create "${nodes[@]}" --cluster-yes >>"$(log_of "redis-${cluster_ports[0]}")"
  fi
  for port in "${cluster_ports[@]}"; do
    wait_for "redis-$port" 30 cluster_well "$port"
  done
}

kafka() {
  local data properties
  data=$(data_of kafka)
  properties=$data/server.properties
  if ! [ -e "$properties" ]; then
    sed -e "s|@DATA@|$data/log|" -e "s|@PORT@|$kafka_port|" \
      -e "s|@CONTROLLER@|$((kafka_port + 1))|" scripts/kafka.properties >"$properties.new"
    java -cp "$kafka_libs/*" kafka.tools.StorageTool format --standalone \
      -t c2x1aWNlLXNsdWljZS1zbA -c "$properties.new" >"$(log_of kafka)" 2>&1
    mv "$properties.new" "$properties" # last: only a formatted folder has it
  fi
  launch kafka java -Xmx1g "${kafka_logging[@]}" -cp "$kafka_libs/*" kafka.Kafka "$properties"
  wait_for kafka 20 java -Xmx64m -XX:TieredStopAtLevel=1 -cp "$kafka_libs/*" \
    kafka.admin.ConfigCommand --bootstrap-server "127.0.0.1:$kafka_port" \
    --describe --entity-type brokers --entity-name 1
}

redis redis "$redis_port" --save ""
redis_cluster
kafka
printf 'export SLUICE_REDIS=127.0.0.1:%s\n' "$redis_port"
printf 'export SLUICE_REDIS_CLUSTER=127.0.0.1:%s,127.0.0.1:%s,127.0.0.1:%s\n' "${cluster_ports[@]}"
printf 'export SLUICE_KAFKA=127.0.0.1:%s\n' "$kafka_port"
