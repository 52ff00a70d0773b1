# Shared by the scripts beside it; each of them sources it from the module root.
services=$PWD/.services
kafka_libs=$services/kafka/libs
tools=$services/bin

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
