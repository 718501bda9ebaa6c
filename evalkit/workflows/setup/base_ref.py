"""Which commit the working tree is held against when nothing names one."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from evalkit.errors import Refused
from evalkit.sources.git import (
    default_branch,
    has_remote,
    head_commit,
    is_shallow,
    merge_base,
)


class BaseRef(msgspec.Struct, frozen=True, kw_only=True):
    """A commit to compare with, or why there is none.

    `lost` tells that there is one, as far as anybody can tell, and this clone does not have it.
    """

    sha: str | None
    label: str
    lost: bool = False


def find_base(root: Path, environ: Mapping[str, str] = os.environ) -> BaseRef:
    """The pull request's base in CI, else the merge base with the default branch, else HEAD.

    Never raises: without git, commits or the base in a shallow clone, `sha` is None and `label`
    says why and what to do.
    """
    target = environ.get("GITHUB_BASE_REF")
    started = environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA")
    try:
        head = head_commit(root)
    except Refused as error:
        return BaseRef(sha=None, label=str(error), lost=bool(target or started))
    if head is None:
        return BaseRef(
            sha=None, label="there is no git history here; commit once, or name a bundle"
        )
    if target:
        return _from_branch(root, f"origin/{target}", f"the pull request's base {target}")
    if started:
        return _from_branch(root, started, "the merge request's base")
    cloned = has_remote(root)
    branch = (_branch_of_forge(environ) if cloned else None) or default_branch(root)
    if branch is not None:
        return _from_branch(root, branch, branch)
    if cloned or is_shallow(root):
        # HEAD would be compared with itself, and equal whatever the change does
        return BaseRef(
            sha=None,
            label="this clone has no branch that changes are merged into; fetch it "
            "(git fetch origin main:refs/remotes/origin/main, fetch-depth: 0 in CI), or say which "
            "one it is (git remote set-head origin --auto)",
            lost=True,
        )
    return BaseRef(sha=head, label=f"HEAD ({head[:7]})")


def _branch_of_forge(environ: Mapping[str, str]) -> str | None:
    """The default branch as the forge names it, such as `origin/main`; None outside of CI."""
    name: object = environ.get("CI_DEFAULT_BRANCH")
    if not name and (event := environ.get("GITHUB_EVENT_PATH")):
        try:
            repository = json.loads(Path(event).read_bytes())["repository"]
            name = repository["default_branch"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
    return f"origin/{name}" if isinstance(name, str) and name else None


def _from_branch(root: Path, ref: str, words: str) -> BaseRef:
    try:
        sha = merge_base(root, ref)
    except Refused as error:
        return BaseRef(
            sha=None,
            label=f"{words} is not in this clone ({error}); check out with fetch-depth: 0",
            lost=True,
        )
    return BaseRef(sha=sha, label=f"{words} ({sha[:7]})")
