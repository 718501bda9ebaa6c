"""`.evalkit/`: the project's private state, which git never sees."""

from collections.abc import Iterator
from pathlib import Path

from evalkit.errors import StoreError
from evalkit.store.files import explained, write_whole

PRIVATE = ".evalkit"
_OPENED_BY_NAME = ("cache", "schema")
_GITIGNORE = b"# Private state of evalkit; what has to be reviewed lives outside of it.\n*\n"


def private_folder(root: Path) -> Path:
    """`<root>/.evalkit`, made where it is missing, with a .gitignore of its own.

    Raises StoreError where it cannot be made, and where it is a link or has one: a project of a
    stranger would have evalkit write wherever it leads.
    """
    folder = root / PRIVATE
    with explained("make", folder):
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        missing = not ignore.exists()
        for path in _places(folder):
            if path.is_symlink():
                raise StoreError(f"{path} is a symlink, and evalkit writes none: move it aside")
    if missing:
        write_whole(ignore, _GITIGNORE)
    return folder


def _places(folder: Path) -> Iterator[Path]:
    """The folder and what evalkit opens by its name; bundles and logs look at their own files."""
    yield folder
    yield from folder.iterdir()
    for name in _OPENED_BY_NAME:
        if (folder / name).is_dir():
            yield from (folder / name).iterdir()
