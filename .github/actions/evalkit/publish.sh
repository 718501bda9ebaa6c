#!/usr/bin/env bash
# Publishes how the run ended. Trouble here is told and changes nothing: the job ends as the run did.
set -uo pipefail

if [ ! -f .evalkit/last.json ]; then
  echo "::error title=evalkit::The run left no result (exit ${EVALKIT_CODE:-unknown}); the log of the step before says why."
  echo "**evalkit left no result** (exit ${EVALKIT_CODE:-unknown}): the job's log says why." >> "$GITHUB_STEP_SUMMARY"
  exit 0
fi

if [ "${EVALKIT_VERDICT:-}" = shard ]; then
  echo "A part of a run decides nothing, so nothing is published: the job that merges the parts does."
  exit 0
fi

options=()
[ "${EVALKIT_COMMENT:-true}" = true ] || options+=(--no-comment)
[ "${EVALKIT_CHECK:-true}" = true ] || options+=(--check none)
[ -z "${EVALKIT_KEY:-}" ] || options+=(--key "$EVALKIT_KEY")
[ -z "${EVALKIT_LIVE_RUN:-}" ] || options+=(--live-run "$EVALKIT_LIVE_RUN")
[ -z "${EVALKIT_PULL_REQUEST:-}" ] || options+=(--pr "$EVALKIT_PULL_REQUEST")
[ -z "${EVALKIT_SHA:-}" ] || options+=(--sha "$EVALKIT_SHA")

evalkit publish github "${options[@]}"
code=$?
if [ "$code" -ne 0 ]; then
  echo "::warning title=evalkit::The report could not be published whole (exit $code); the log of this step says why."
fi
exit 0
