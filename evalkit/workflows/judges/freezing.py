"""`evalkit judge freeze`: from then on a change of the rubric needs a new version."""

from pathlib import Path

from evalkit.records.asset import Rubric
from evalkit.sources.pinning import pin_digest
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree


def freeze_rubric(root: Path, reference: str) -> Rubric:
    """Pin what shapes the judgments of a rubric: its digest is written into its file.

    Nothing is written where it is frozen already. Raises ConfigError for a rubric with problems,
    which one that was frozen and has changed since is.
    """
    rubric = read_rubric(WorkingTree(root), reference)
    if not rubric.frozen:
        pin_digest(root / rubric.path, rubric.path, rubric.digest)
    return rubric
