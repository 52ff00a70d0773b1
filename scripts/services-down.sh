#!/usr/bin/env bash
# Stops the servers that services-up.sh started, by the process numbers it recorded, and no others.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/lib.sh
. scripts/services.sh

for name in "${service_names[@]}"; do
  stop "$name"
done
