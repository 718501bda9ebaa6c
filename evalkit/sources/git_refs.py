"""Where a project stands in git: commits, branches, what changed since one of them."""

from pathlib import Path

from evalkit.errors import Refused
from evalkit.records.run import GitState
from evalkit.sources.git_command import GitFailed, run_git

_MAIN_BRANCHES = ("main", "master", "trunk")
# commit, branch and files with one process: on a small machine each costs as much as 30 cases
_STATUS = (
    "status",
    "--porcelain=v2",
    "--branch",
    "--no-ahead-behind",
    "-z",
    "--untracked-files=normal",
)


def git_state(root: Path) -> GitState:
    """Commit, branch and whether anything differs from it.

    `sha` is None before the first commit, `branch` None on a detached HEAD. Raises Refused where
    there is no git or `root` is in no repository.
    """
    try:
        raw = run_git(root, *_STATUS)
    except GitFailed as error:
        raise _no_repository(root, error) from error
    lines = [line.decode(errors="replace") for line in raw.split(b"\0") if line]
    told = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# branch."))
    sha, branch = told.get("branch.oid"), told.get("branch.head")
    return GitState(
        sha=None if sha == "(initial)" else sha,
        branch=None if branch == "(detached)" else branch,
        dirty=any(not line.startswith("# ") for line in lines),
    )


def head_commit(root: Path) -> str | None:
    """The full id of the commit that is checked out; None before the first one.

    Raises Refused as `git_state` does, which looks at every file besides.
    """
    try:
        told = run_git(root, "rev-parse", "--show-toplevel", "--verify", "--quiet", "HEAD^{commit}")
    except GitFailed as error:
        if error.reason:
            raise _no_repository(root, error) from error
        return None
    return told.decode(errors="replace").rstrip("\n").rpartition("\n")[2]


def read_git_state(root: Path) -> GitState:
    """Like `git_state`; an empty state where there is no git or no repository."""
    try:
        return git_state(root)
    except Refused:
        return GitState()


def resolve_ref(root: Path, ref: str) -> str:
    """The full id of the commit that `ref` names.

    Raises Refused for one that this clone does not have, and says so where the clone is shallow.
    """
    if ref and not ref.startswith("-"):
        sha = _optional(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        if sha is not None:
            return sha
    git_state(root)  # says so where the trouble is not the ref
    raise Refused(f"git knows no commit {ref!r}{_shallow_words(root)}")


def merge_base(root: Path, ref: str) -> str:
    """The full id of the commit where HEAD and `ref` parted.

    Raises Refused for an unknown ref, and where this clone holds no common ancestor.
    """
    sha = resolve_ref(root, ref)
    base = _optional(root, "merge-base", "HEAD", sha)
    if base is None:
        raise Refused(f"HEAD and {ref} have no common commit in this clone{_shallow_words(root)}")
    return base


def default_branch(root: Path) -> str | None:
    """The branch that changes are merged into, such as `origin/main`; None where none is found."""
    named = _optional(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    configured = _optional(root, "config", "--get", "init.defaultBranch")
    names = dict.fromkeys([*_MAIN_BRANCHES, *([configured] if configured else [])])
    candidates = [
        *([named] if named else []),
        *(f"origin/{name}" for name in names),
        *names,
    ]
    feed = "".join(f"{candidate}^{{commit}}\n" for candidate in candidates).encode()
    try:
        told = run_git(root, "cat-file", "--batch-check=%(objecttype)", feed=feed).splitlines()
    except GitFailed:
        return None
    # of a name that git does not know it says that, in a line of its own
    return next(
        (name for name, line in zip(candidates, told, strict=True) if line == b"commit"), None
    )


def is_shallow(root: Path) -> bool:
    """Whether the clone lacks history."""
    return _optional(root, "rev-parse", "--is-shallow-repository") == "true"


def changed_files(root: Path, base_sha: str) -> list[str]:
    """Files under `root` that differ from a commit: edited, added, deleted or not yet tracked.

    Paths are relative to `root`, sorted. Raises Refused for a commit that is not here.
    """
    sha = resolve_ref(root, base_sha)
    differing = run_git(root, "diff", "--name-only", "--no-renames", "--relative", "-z", sha, "--")
    untracked = run_git(root, "ls-files", "--others", "--exclude-standard", "-z")
    names = (differing + untracked).split(b"\0")
    return sorted({name.decode(errors="surrogateescape") for name in names if name})


def tracked_files(root: Path, folder: str) -> list[str]:
    """Files that git tracks in a folder of `root`, however its name is capitalised, sorted.

    The folder's own path where it is a symlink or a submodule; empty where there is no git. Not
    every system tells capitals apart, so a folder may be read under a name that it does not have.
    """
    try:
        raw = run_git(root, "ls-files", "-z", "--", f":(icase){folder}")
    except Refused:
        return []
    return sorted(name.decode(errors="replace") for name in raw.split(b"\0") if name)


def files_named(root: Path, sha: str, name: str) -> list[str]:
    """The files of that name anywhere in the repository at a commit: paths from its top, sorted."""
    raw = run_git(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", sha)
    paths = (each.decode(errors="surrogateescape") for each in raw.split(b"\0"))
    return sorted(path for path in paths if path.rpartition("/")[2] == name)


def top_folder(root: Path) -> Path:
    """The folder of the repository that `root` is in. Raises Refused where it is in none."""
    return Path(run_git(root, "rev-parse", "--show-toplevel").decode().rstrip("\n"))


def has_remote(root: Path) -> bool:
    """Whether this repository is a clone of another one, or pushes to one."""
    return _optional(root, "remote") is not None


def _optional(root: Path, *arguments: str) -> str | None:
    """What git prints, or None where it has nothing to say."""
    try:
        return run_git(root, *arguments).decode(errors="replace").strip() or None
    except GitFailed:
        return None


def _no_repository(root: Path, error: GitFailed) -> Refused:
    if "not a git repository" in error.reason:
        return Refused(f"{root} is in no git repository")
    if "dubious ownership" in error.reason:
        return Refused(
            f"git refuses the repository at {root}, which belongs to somebody else; allow it with "
            f"git config --global --add safe.directory {root}"
        )
    return error


def _shallow_words(root: Path) -> str:
    if not is_shallow(root):
        return ""
    return "; the clone is shallow: fetch the history (git fetch --unshallow, fetch-depth: 0 in CI)"
