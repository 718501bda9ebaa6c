"""Which commit a run measured, and whether it is what the default branch holds."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from evalkit.records.run import GitState
from evalkit.sources.git import default_branch, read_git_state

# set by CI for a change that is not merged, whatever its branch is called
_PROPOSED = ("GITHUB_HEAD_REF", "CI_MERGE_REQUEST_IID")


def read_commit(root: Path, environ: Mapping[str, str] = os.environ) -> GitState:
    """Where the working tree stands; CI's own words name the branch of a detached checkout.

    An empty state where there is no git.
    """
    state = read_git_state(root)
    if state.sha is None:
        return state
    branch = state.branch or _ci_branch(environ, state.sha)
    merged = not any(environ.get(name) for name in _PROPOSED)
    main = default_branch(root)
    is_main = branch is not None and main is not None and branch == main.removeprefix("origin/")
    return msgspec.structs.replace(
        state, branch=branch, main=is_main and merged and not state.dirty
    )


def _ci_branch(environ: Mapping[str, str], sha: str) -> str | None:
    """The branch that CI says it built, where what is checked out is what it built."""
    if sha != (environ.get("GITHUB_SHA") or environ.get("CI_COMMIT_SHA")):
        return environ.get("GITHUB_HEAD_REF")
    if head := environ.get("GITHUB_HEAD_REF"):
        return head
    if environ.get("GITHUB_REF", "").startswith("refs/heads/"):
        return environ["GITHUB_REF"].removeprefix("refs/heads/")
    return environ.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME") or environ.get("CI_COMMIT_BRANCH")
