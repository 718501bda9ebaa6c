"""`evalkit init`: the template, copied into an empty folder."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from evalkit.errors import StoreError, UsageError
from evalkit.workflows.schemas import write_schemas

_HARMLESS = {".git", ".gitignore", ".gitattributes", "LICENSE", ".idea", ".vscode"}


def init_project(folder: Path) -> list[str]:
    """Write the template into `folder` and return the paths written, relative to it.

    Raises UsageError for a folder that holds anything but version control, StoreError where it
    cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; name an empty folder")
    held = (
        sorted(p.name for p in folder.iterdir() if p.name not in _HARMLESS)
        if folder.exists()
        else []
    )
    if held:
        shown = ", ".join(held[:5])
        raise UsageError(f"{folder.resolve()} is not empty (it has {shown}); name an empty folder")
    template = files("evalkit.workflows") / "template"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = sorted(_copy(template, folder, folder))
        write_schemas(folder)
    except OSError as error:
        raise StoreError(f"cannot write to {folder.resolve()}: {error.strerror}") from error
    return written


def _copy(source: Traversable, target: Path, root: Path) -> list[str]:
    written = []
    for entry in source.iterdir():
        if entry.name == "__pycache__":
            continue
        path = target / entry.name
        if entry.is_dir():
            path.mkdir(exist_ok=True)
            written += _copy(entry, path, root)
        else:
            path.write_bytes(entry.read_bytes())
            written.append(path.relative_to(root).as_posix())
    return written
