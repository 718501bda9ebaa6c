#!/usr/bin/env bash
# Runs the gate and keeps its exit code as an output: this step succeeds, so that the next ones report,
# and the last one ends with the code.
set -uo pipefail

read -r -d '' -a suites <<< "${EVALKIT_SUITES:-}"
read -r -d '' -a arguments <<< "${EVALKIT_ARGS:-}"
command=(run "${suites[@]}" "${arguments[@]}")
if [ -n "${EVALKIT_MERGE:-}" ]; then
  # a path may have spaces, and may look like an option
  command=(merge "${suites[@]}" "${arguments[@]}" -- "$EVALKIT_MERGE")
fi

if [ -n "${EVALKIT_PULL_REQUEST:-}" ]; then
  # what runs is a proposed change, whatever branch the workflow was started on
  export GITHUB_HEAD_REF="refs/pull/$EVALKIT_PULL_REQUEST/head"
fi
if [ -n "${EVALKIT_BASE_REF:-}" ]; then
  export GITHUB_BASE_REF="$EVALKIT_BASE_REF"
fi

# what an earlier job left on this machine is not how this one ends
rm -f .evalkit/last.json

# Lines of the log that begin with :: are commands to the runner. What a model said is no command.
stop=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$stop"
# The change's own code runs here. It gets none of the files by which a step speaks to later ones.
env -u GITHUB_ENV -u GITHUB_PATH -u GITHUB_OUTPUT -u GITHUB_STATE -u GITHUB_STEP_SUMMARY \
  -u GITHUB_TOKEN -u ACTIONS_RUNTIME_TOKEN \
  evalkit "${command[@]}"
code=$?
echo
echo "::$stop::"

# a pass has to be shown by what the run left, so that nothing else that ends with 0 is green
[ "$code" -eq 0 ] || echo "exit-code=$code" >> "$GITHUB_OUTPUT"
python "$GITHUB_ACTION_PATH/ending.py" "$code" >> "$GITHUB_OUTPUT"
exit 0
