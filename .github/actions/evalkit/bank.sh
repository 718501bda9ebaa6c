#!/usr/bin/env bash
# Leaves the newest runs, so that what is cached does not grow for ever. Ids sort by time.
set -euo pipefail

keep="${EVALKIT_BANK_RUNS:-20}"
[[ "$keep" =~ ^[0-9]{1,4}$ ]] || keep=20
[ -d .evalkit/runs ] || exit 0

runs=()
for folder in .evalkit/runs/*/; do
  name=$(basename "$folder")
  [[ "$name" =~ ^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{4}$ ]] && runs+=("$name")
done
for ((index = 0; index < ${#runs[@]} - 10#$keep; index++)); do
  rm -rf -- ".evalkit/runs/${runs[index]}"
done
