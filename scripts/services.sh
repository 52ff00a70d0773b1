# The developer's servers: names, ports, and where each keeps its process number, data and log.
# Sourced by services-up.sh and services-down.sh after lib.sh.
redis_port=16379
cluster_ports=(17001 17002 17003)
kafka_port=19092
kafka_logging=(
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  -Dorg.slf4j.simpleLogger.showDateTime=true
)
service_names=(redis "${cluster_ports[@]/#/redis-}" kafka)

data_of() { mkdir -p "$services/data/$1" && printf '%s' "$services/data/$1"; }
log_of() { printf '%s' "$(data_of "$1")/output.log"; }
pid_of() { cat "$services/run/$1.pid" 2>/dev/null; }

# running NAME: the recorded process is alive and works in the server's folder, so it is not
# another one that has been given its number since.
running() {
  local pid
  pid=$(pid_of "$1") && [ "$(readlink "/proc/$pid/cwd")" = "$(data_of "$1")" ]
}

# launch NAME COMMAND... starts a server unless it runs, in a session of its own.
launch() {
  local name=$1
  shift
  running "$name" && return
  mkdir -p "$services/run"
  (
    cd "$(data_of "$name")"
    setsid "$@" </dev/null >>output.log 2>&1 &
    echo $! >"$services/run/$name.pid"
  )
}

# stop NAME asks the server to end, and kills it after 20 s.
stop() {
  local pid tries=200
  if running "$1"; then
    pid=$(pid_of "$1")
    kill "$pid"
    while running "$1"; do
      [ $((tries -= 1)) -gt 0 ] || kill -9 "$pid"
      sleep 0.1
    done
    say "stopped $1"
  fi
  rm -f "$services/run/$1.pid"
}
