"""A project as it was at a git ref, read from the object store; nothing is checked out."""

import io
import posixpath
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from evalkit.errors import ConfigError, Problem, Refused
from evalkit.sources.git_command import GitFailed, run_git, start_git
from evalkit.sources.git_refs import resolve_ref
from evalkit.sources.tree import check_path

# Small files of a folder are fetched together: a process for each would cost more than they do.
_SMALL_BYTES = 256 * 1024
_MAX_LINKS = 40


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the commit; `link` marks a symlink, whose content is where it points."""

    object_id: str
    size: int
    link: bool


class GitTree:
    """The files of the project in `root` at a commit. Paths are relative to the project."""

    def __init__(self, root: Path, ref: str) -> None:
        """Find the commit. Raises Refused for an unknown ref, and without git or a repository."""
        self.root = root
        self.sha = resolve_ref(root, ref)
        short = self.sha[:7]
        self.label = short if self.sha.startswith(ref) else f"{ref} ({short})"
        self._entries: dict[str, _Entry] | None = None
        self._folders: dict[str, set[str]] = {}
        self._blobs: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises FileNotFoundError, and ConfigError for a path that leaves the project or leads round
        in a circle.
        """
        where = self._locate(path)
        entry = self._files()[where]
        if entry.object_id not in self._blobs:
            self._fetch(where, entry)
        return self._blobs[entry.object_id]

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
        return sorted(self._folders.get("" if where == "." else where, ()))

    def _files(self) -> dict[str, _Entry]:
        """Every file of the project at the commit, listed once."""
        if self._entries is None:
            self._entries = {}
            for line in filter(None, self._listing().split(b"\0")):
                about, _, name = line.partition(b"\t")
                mode, kind, object_id, size = about.decode().split()
                if kind == "blob":
                    path = name.decode(errors="surrogateescape")
                    self._entries[path] = _Entry(object_id, int(size), mode == "120000")
                    self._note_folders(path)
        return self._entries

    def _listing(self) -> bytes:
        prefix = run_git(self.root, "rev-parse", "--show-prefix").decode().strip("/\n")
        folder = f"{self.sha}:{prefix}"
        try:
            run_git(self.root, "rev-parse", "--verify", "--quiet", folder)
        except GitFailed:
            return b""  # the project's folder is younger than the commit
        return run_git(self.root, "ls-tree", "-r", "-z", "-l", "--full-tree", folder)

    def _note_folders(self, path: str) -> None:
        while path:
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, set()).add(name)
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
        if entry.object_id not in self._blobs:
            self._blobs[entry.object_id] = run_git(self.root, "cat-file", "blob", entry.object_id)
        return self._blobs[entry.object_id]

    def _fetch(self, path: str, entry: _Entry) -> None:
        """Fetch a file and the small files beside it with one process."""
        if entry.size > _SMALL_BYTES:
            self._blob(entry)
            return
        folder = path.rpartition("/")[0]
        names = self._folders.get(folder, ())
        beside = [self._files().get(f"{folder}/{name}" if folder else name) for name in names]
        wanted = {
            each.object_id: each.size
            for each in (entry, *beside)
            if each is not None and each.size <= _SMALL_BYTES and each.object_id not in self._blobs
        }
        feed = "".join(f"{object_id}\n" for object_id in wanted).encode()
        stream = io.BytesIO(run_git(self.root, "cat-file", "--batch", feed=feed))
        for object_id in wanted:
            header = stream.readline().split()
            if len(header) != 3:
                raise Refused(
                    f"git has no content for {path} at {self.label}; the clone is incomplete"
                )
            self._blobs[object_id] = stream.read(int(header[2]))
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
