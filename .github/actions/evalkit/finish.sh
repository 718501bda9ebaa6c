#!/usr/bin/env bash
# The last step: the action's outputs, and the run's own exit code as the job's.
set -uo pipefail

code="${EVALKIT_CODE:-}"
verdict="${EVALKIT_VERDICT:-}"
if ! [[ "$code" =~ ^[0-9]{1,3}$ ]]; then
  # it was cancelled, or never came to run; neither is a regression, and neither is green
  if [ "${EVALKIT_STARTED:-}" = cancelled ]; then
    code=130 verdict=interrupted
  else
    code=2 verdict=not_run
  fi
fi
{
  echo "exit-code=$code"
  echo "verdict=${verdict:-broken}"
  echo "run-id=${EVALKIT_RUN:-}"
} >> "$GITHUB_OUTPUT"

case "$code" in
  0) meaning="the gate passed" ;;
  1) meaning="the gate failed on measured results" ;;
  2) meaning="nothing was run, or recordings cannot measure the change" ;;
  3) meaning="inconclusive: the report says what would settle it" ;;
  4) meaning="incomplete: the report says what stopped it" ;;
  130) meaning="interrupted" ;;
  *) meaning="evalkit has a bug" ;;
esac
if [ "$code-$verdict" = 0-shard ]; then
  meaning="this part of the run is made; the job that merges the parts decides"
fi
echo "evalkit: exit $code, $meaning"
exit "$code"
