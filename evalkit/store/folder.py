"""`.evalkit/`: the project's private state, which git never sees."""

from pathlib import Path

from evalkit.store.files import explained, write_whole

PRIVATE = ".evalkit"
_GITIGNORE = b"# Private state of evalkit; what has to be reviewed lives outside of it.\n*\n"


def private_folder(root: Path) -> Path:
    """`<root>/.evalkit`, made where it is missing, with a .gitignore of its own.

    Raises StoreError where it cannot be made.
    """
    folder = root / PRIVATE
    with explained("make", folder):
        folder.mkdir(parents=True, exist_ok=True)
        ignore = folder / ".gitignore"
        missing = not ignore.exists()
    if missing:
        write_whole(ignore, _GITIGNORE)
    return folder
