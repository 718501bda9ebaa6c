"""`.evalkit/` is this machine's own: what a commit puts there was not measured here.

Stored runs lend trials to later ones, the cache answers in a model's place, the history names
baselines. All of it is trusted because evalkit wrote it, and git ignores it. A change that commits
files there would bring its own measurements along.
"""

from pathlib import Path

from evalkit.errors import Problem, Refused
from evalkit.gate.wording import named
from evalkit.sources.git import tracked_files
from evalkit.store.folder import PRIVATE

# written for people and their editors, and read by nothing here
_HARMLESS = (f"{PRIVATE}/.gitignore", f"{PRIVATE}/schema/")
_SETTLE = f"git rm -r -q --cached {PRIVATE}, and commit"


def refuse_tracked_state(root: Path) -> None:
    """Raise Refused where git tracks files that evalkit keeps for itself."""
    if found := _tracked(root):
        raise Refused(f"{_sentence(found)}: {_SETTLE}")


def tracked_state_problems(root: Path) -> list[Problem]:
    """The same as a problem of the project."""
    found = _tracked(root)
    return [Problem(file=found[0], message=_sentence(found), suggestion=_SETTLE)] if found else []


def _tracked(root: Path) -> list[str]:
    return [name for name in tracked_files(root, PRIVATE) if not name.startswith(_HARMLESS)]


def _sentence(found: list[str]) -> str:
    return (
        f"git tracks files in {PRIVATE}/, where a run keeps what it measured ({named(found)}). "
        "What a commit brings along was not measured here and could make any change pass"
    )
