"""git as the rest of evalkit sees it: a tree at a ref, and where the project stands."""

from evalkit.sources.git_refs import (
    changed_files,
    default_branch,
    files_named,
    git_state,
    has_remote,
    head_commit,
    is_shallow,
    merge_base,
    read_git_state,
    resolve_ref,
    top_folder,
    tracked_files,
)
from evalkit.sources.git_tree import GitTree

__all__ = [
    "GitTree",
    "changed_files",
    "default_branch",
    "files_named",
    "git_state",
    "has_remote",
    "head_commit",
    "is_shallow",
    "merge_base",
    "read_git_state",
    "resolve_ref",
    "top_folder",
    "tracked_files",
]
