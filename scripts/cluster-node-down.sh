#!/usr/bin/env bash
# One node of a Redis Cluster is stopped, and comes back.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh

once_more within 5m bin/simulate run redis-down --quiet --world real --servers start-cluster \
  --set 'faults=[at 4s stop redis node 2 for 3s]' --out runs/cluster-node-down
