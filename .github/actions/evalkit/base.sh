#!/usr/bin/env bash
# The baseline is read at the pull request's base, which a shallow checkout does not have. What cannot
# be fetched is no failure here: evalkit says what it lacks and what to do.
set -uo pipefail

if ! git rev-parse --git-dir > /dev/null 2>&1 && [ -e "${GITHUB_WORKSPACE:-}/.git" ]; then
  # in a container job the checkout belongs to another user
  git config --global --add safe.directory "$GITHUB_WORKSPACE"
fi

base="${EVALKIT_BASE_REF:-${GITHUB_BASE_REF:-}}"
if [ -n "$base" ]; then
  git check-ref-format "refs/heads/$base" || exit 0
  remote="refs/remotes/origin/$base"
else
  remote=""
fi

fetch() {
  git fetch --quiet --no-tags --no-recurse-submodules "$@"
}

has_base() {
  if [ -n "$remote" ]; then
    git merge-base HEAD "$remote" > /dev/null 2>&1
  else
    [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" != true ]
  fi
}

has_base && exit 0
# a little history is mostly enough; all of it is what is left
for depth in --deepen=100 --unshallow; do
  [ "$depth" = --unshallow ] &&
    [ "$(git rev-parse --is-shallow-repository 2>/dev/null)" != true ] && depth=--no-auto-gc
  if [ -n "$remote" ]; then
    fetch "$depth" origin "+refs/heads/$base:$remote" HEAD
  else
    fetch "$depth" origin
  fi
  has_base && exit 0
done
echo "::notice title=evalkit::The base of this change could not be fetched; give actions/checkout fetch-depth: 0."
exit 0
