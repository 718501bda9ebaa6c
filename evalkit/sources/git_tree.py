"""A project as it was at a git ref, read from the object store; nothing is checked out."""

import io
import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from weakref import WeakValueDictionary

import msgspec

from evalkit.errors import ConfigError, Problem, Refused
from evalkit.sources.git_command import run_git, start_git
from evalkit.sources.git_refs import resolve_ref
from evalkit.sources.tree import check_path

# Small files of a folder are fetched together: a process for each would cost more than they do.
_SMALL_BYTES = 256 * 1024
_MAX_LINKS = 40


class _Entry(msgspec.Struct, frozen=True):
    """A file of the commit; `link` marks a symlink, whose content is where it points."""

    object_id: str
    size: int
    link: bool


class _Content:
    """What was read of a project at a commit, which never changes."""

    def __init__(self) -> None:
        self.entries: dict[str, _Entry] | None = None
        self.folders: dict[str, set[str]] = {}
        self.blobs: dict[str, bytes] = {}


# by project and commit, for as long as a tree of it is in use: a baseline is often the base too
_IN_USE: WeakValueDictionary[tuple[Path, str], _Content] = WeakValueDictionary()


class GitTree:
    """The files of the project in `root` at a commit. Paths are relative to the project.

    Trees of one commit that are in use at once share what they read.
    """

    def __init__(self, root: Path, ref: str) -> None:
        """Find the commit. Raises Refused for an unknown ref, and without git or a repository."""
        self.root = root
        home = root.absolute()
        self.sha = ref if (home, ref) in _IN_USE else resolve_ref(root, ref)
        short = self.sha[:7]
        self.label = short if self.sha.startswith(ref) else f"{ref} ({short})"
        self._content = _IN_USE.setdefault((home, self.sha), _Content())

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises FileNotFoundError, and ConfigError for a path that leaves the project or leads round
        in a circle.
        """
        where = self._locate(path)
        entry = self._files()[where]
        if entry.object_id not in self._content.blobs:
            self._fetch(where, entry)
        return self._content.blobs[entry.object_id]

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        """The content of a file as a stream. Raises as `read` does."""
        entry = self._files()[self._locate(path)]
        if entry.size <= _SMALL_BYTES:
            return io.BytesIO(self.read(path))
        return self._stream(entry)

    def exists(self, path: str) -> bool:
        """Whether there is such a file. Raises ConfigError for a path that leaves the project."""
        try:
            self._locate(path)
        except FileNotFoundError:
            return False
        return True

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty where there is no such folder."""
        self._files()
        try:
            where = self._follow(check_path(folder))
        except FileNotFoundError:
            return []
        return sorted(self._content.folders.get("" if where == "." else where, ()))

    def _files(self) -> dict[str, _Entry]:
        """Every file of the project at the commit, listed once."""
        content = self._content
        if content.entries is None:
            # relative to the project's folder, in which git runs; nothing where it is younger
            listing = run_git(self.root, "ls-tree", "-r", "-z", "-l", self.sha)
            entries: dict[str, _Entry] = {}
            for line in filter(None, listing.split(b"\0")):
                about, _, name = line.partition(b"\t")
                mode, kind, object_id, size = about.decode().split()
                if kind == "blob":
                    path = name.decode(errors="surrogateescape")
                    entries[path] = _Entry(object_id, int(size), mode == "120000")
                    self._note_folders(path)
            content.entries = entries
        return content.entries

    def _note_folders(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            self._content.folders.setdefault(folder, set()).add(name)
            path = folder

    def _locate(self, path: str) -> str:
        """The path of the file itself, once every symlink is followed."""
        self._files()
        where = self._follow(check_path(path))
        if where not in self._files():
            raise FileNotFoundError(2, "there is no such file", path)
        return where

    def _follow(self, path: str) -> str:
        links = 0
        done = ""
        rest = [part for part in path.split("/") if part != "."]
        while rest:
            step = posixpath.join(done, rest.pop(0))
            entry = self._files().get(step)
            if entry is None or not entry.link:
                done = step
                continue
            links += 1
            if links > _MAX_LINKS:
                raise _refused(path, "is a symlink that leads round in a circle")
            target = self._blob(entry).decode(errors="surrogateescape")
            led = posixpath.normpath(posixpath.join(done, target, *rest))
            if target.startswith("/") or led.startswith(".."):
                raise _refused(path, "is a symlink that leads out of the project")
            done, rest = "", [part for part in led.split("/") if part != "."]
        return done or "."

    def _blob(self, entry: _Entry) -> bytes:
        if entry.object_id not in self._content.blobs:
            self._content.blobs[entry.object_id] = run_git(
                self.root, "cat-file", "blob", entry.object_id
            )
        return self._content.blobs[entry.object_id]

    def _fetch(self, path: str, entry: _Entry) -> None:
        """Fetch a file and the small files beside it with one process."""
        if entry.size > _SMALL_BYTES:
            self._blob(entry)
            return
        folder = path.rpartition("/")[0]
        names = self._content.folders.get(folder, ())
        beside = [self._files().get(f"{folder}/{name}" if folder else name) for name in names]
        wanted = {
            each.object_id: each.size
            for each in (entry, *beside)
            if each is not None
            and each.size <= _SMALL_BYTES
            and each.object_id not in self._content.blobs
        }
        feed = "".join(f"{object_id}\n" for object_id in wanted).encode()
        stream = io.BytesIO(run_git(self.root, "cat-file", "--batch", feed=feed))
        for object_id in wanted:
            header = stream.readline().split()
            if len(header) != 3:
                raise Refused(
                    f"git has no content for {path} at {self.label}; the clone is incomplete"
                )
            self._content.blobs[object_id] = stream.read(int(header[2]))
            stream.read(1)

    @contextmanager
    def _stream(self, entry: _Entry) -> Iterator[BinaryIO]:
        process = start_git(self.root, "cat-file", "blob", entry.object_id)
        try:
            yield cast(BinaryIO, process.stdout)
        finally:
            if process.stdout is not None:
                process.stdout.close()
            process.wait()


def _refused(path: str, message: str) -> ConfigError:
    return ConfigError([Problem(file=path, message=message)])
