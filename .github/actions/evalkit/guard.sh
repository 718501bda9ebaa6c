#!/usr/bin/env bash
# The first step: refuse to run a stranger's code where secrets are, and name the cache's scope.
set -euo pipefail

refuse() {
  echo "::error title=evalkit::$1"
  exit 2
}

event="${GITHUB_EVENT_NAME:-}"
here=$(git -C "${EVALKIT_DIRECTORY:-.}" rev-parse HEAD 2>/dev/null || true)

case "$event" in
  pull_request_target)
    refuse "evalkit never runs on pull_request_target: targets in Python and commands are the pull request's code, and that event would run them with this repository's secrets and write access. Use pull_request; for a live run on a reviewed commit use workflow_dispatch (docs/ci.md)."
    ;;
  workflow_run | issue_comment | issues | discussion_comment)
    # anybody can cause these; they run on the default branch, unless something else is checked out
    if [ "$here" != "${GITHUB_SHA:-}" ]; then
      refuse "evalkit does not run code that was checked out on $event: anybody can cause that event, and it has this repository's secrets. Use pull_request, or workflow_dispatch for a reviewed commit (docs/ci.md)."
    fi
    ;;
esac

if [ -n "${EVALKIT_PULL_REQUEST:-}" ]; then
  [[ "$EVALKIT_PULL_REQUEST" =~ ^[1-9][0-9]{0,9}$ ]] || refuse "pull-request is no number."
  [[ "${EVALKIT_SHA:-}" =~ ^[0-9a-f]{40}$ ]] ||
    refuse "pull-request needs sha, the full commit that was reviewed: a branch may have moved since."
fi
if [ -n "${EVALKIT_SHA:-}" ] && [ "$here" != "$EVALKIT_SHA" ]; then
  refuse "The checkout is not the commit that was reviewed (input sha); check out that commit."
fi

scope=$(printf '%s\n%s' "${EVALKIT_DIRECTORY:-.}" "${EVALKIT_KEY:-}" | git hash-object --stdin)
echo "scope=${scope:0:12}" >> "$GITHUB_OUTPUT"
