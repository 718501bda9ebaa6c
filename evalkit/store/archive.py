"""A run that comes in a zip file from somewhere else, such as an artifact of CI.

Nothing in such a file is trusted: only the data of a bundle is taken out of it (reports are written
anew), names are checked before anything is written, and what is unpacked is counted as it comes.
"""

import hashlib
import io
import lzma
import posixpath
import re
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evalkit.errors import StoreError
from evalkit.records.last_run import LastRun
from evalkit.records.run import RunRecord
from evalkit.store.bundle import ASSETS, RECORD, SCORES, Bundle
from evalkit.store.files import explained, sync_folder
from evalkit.store.folder import private_folder
from evalkit.store.journal import ATTEMPTS, JUDGMENTS, TRACES
from evalkit.store.labels import RUN_LABELS
from evalkit.store.runs import RunStore
from evalkit.store.schema import decode_record

LAST = "last.json"
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
MAX_ENTRIES = 10_000
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
_DATA = frozenset({RECORD, ATTEMPTS, SCORES, TRACES, JUDGMENTS, RUN_LABELS})
_ASSET = re.compile(r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]*\.(json|cases\.jsonl)")
_MAX_LAST_BYTES = 1024 * 1024
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

# what zipfile raises for one that was cut, or whose table leads nowhere
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    KeyError,
    struct.error,
    OSError,
)


@dataclass(frozen=True, slots=True)
class Placed:
    """A bundle that came in; `fresh` is False where it was here already, with the same content."""

    bundle: Bundle
    fresh: bool


class RunArchive:
    """A zip file with run bundles in it, at any depth, and perhaps the `last.json` of its command.

    Raises StoreError for what is no zip file, and for one that holds anything that no archive of
    runs has: paths that lead out, links, encrypted or doubled entries, more than `max_bytes`.
    """

    def __init__(self, raw: bytes, *, name: str, max_bytes: int = MAX_UNPACKED_BYTES) -> None:
        """`name` is what messages call it. Every entry is checked before any is read."""
        self.name = name
        self._max_bytes = max_bytes
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(raw))
            self._entries = self._checked()
        except _BROKEN as error:
            raise StoreError(f"{name} is no zip file that can be read ({error})") from error

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > MAX_ENTRIES:
            raise self._refused(f"holds {len(infos):,} entries; {MAX_ENTRIES:,} are allowed")
        entries: dict[str, zipfile.ZipInfo] = {}
        folded: set[str] = set()
        for info in infos:
            self._check_kind(info)
            path = self._checked_path(info)
            if path.casefold() in folded:
                raise self._refused(f"holds {path!r} twice")
            folded.add(path.casefold())
            if not info.is_dir():
                entries[path] = info
        size = sum(info.file_size for info in entries.values())
        if size > self._max_bytes:
            raise self._refused(f"unpacks to {size:,} bytes; {self._max_bytes:,} are allowed")
        return entries

    def _check_kind(self, info: zipfile.ZipInfo) -> None:
        if info.flag_bits & _ENCRYPTED:
            raise self._refused(f"holds {info.filename!r}, which is encrypted")
        if info.compress_type not in _METHODS:
            raise self._refused(f"holds {info.filename!r}, packed in a way that is not read here")
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise self._refused(f"holds {info.filename!r}, which is a link or no regular file")

    def _checked_path(self, info: zipfile.ZipInfo) -> str:
        # orig_filename is what the archive says; `filename` is already cut at a NUL
        name = info.orig_filename
        path = name.removesuffix("/")
        parts = path.split("/")
        if (
            not path
            or path.startswith("/")
            or any(part in ("", ".", "..") for part in parts)
            or any(ord(letter) < 0x20 or letter in "\\:" for letter in name)
        ):
            raise self._refused(f"holds the path {name!r}, which may lead out of its folder")
        return path

    def runs(self) -> tuple[str, ...]:
        """The folders in it that hold a run.json, "" for its top; those of older runs first."""
        folders = [
            posixpath.dirname(path) for path in self._entries if posixpath.basename(path) == RECORD
        ]
        return tuple(sorted(folders, key=lambda folder: (posixpath.basename(folder), folder)))

    def last(self) -> LastRun | None:
        """What its `last.json` says, None where there is none or it cannot be read."""
        found = [path for path in self._entries if posixpath.basename(path) == LAST]
        if len(found) != 1 or self._entries[found[0]].file_size > _MAX_LAST_BYTES:
            return None
        try:
            return msgspec.json.decode(b"".join(self._content(found[0])), type=LastRun)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    def id_of(self, folder: str) -> str:
        """The id of the run of that folder, as its run.json has it. Raises StoreError."""
        path = f"{folder}/{RECORD}" if folder else RECORD
        raw = b"".join(self._content(path))
        return decode_record(raw, Path(self.name, path)).id

    def place(self, folder: str, store: RunStore, *, main: bool) -> Placed:
        """Put the run of that folder among a project's runs, under its own id.

        `main` tells that it may be one of the main branch, which others are held against. Raises
        StoreError for what is no whole bundle, and where another run has that id here.
        """
        with self._unpacked(folder, store) as incoming:
            record = self._validated(incoming)
            named = posixpath.basename(folder)
            if RUN_ID.fullmatch(named) and named != record.id:
                raise self._refused(f"holds a run with the id {record.id!r} in {folder!r}")
            if record.git.main and not main:
                raise self._refused(
                    "says that its run is one of the main branch, and a proposed change made it"
                )
            target = Bundle(store.folder / record.id)
            if target.path.exists():
                if not _same_data(incoming.path, target.path):
                    raise StoreError(
                        f"{target.path} is here already and holds something else than {self.name}; "
                        "nothing was changed: move it aside to fetch that one"
                    )
                return Placed(target, fresh=False)
            with explained("write", target.path):
                incoming.path.rename(target.path)
                sync_folder(store.folder)
            return Placed(target, fresh=True)

    def _validated(self, incoming: Bundle) -> RunRecord:
        """The record of a bundle that can be read whole and names nothing outside of it."""
        try:
            record = incoming.read_record()
            if not RUN_ID.fullmatch(record.id):
                raise self._refused(f"holds a run with the id {record.id!r}")
            incoming.load()
            incoming.traces()
        except RecursionError as error:
            raise StoreError(f"{self.name} holds a run that is nested too deeply") from error
        except StoreError as error:
            reason = str(error).replace(f"{incoming.path}/", "")
            raise StoreError(f"{self.name} holds no whole run: {reason}") from error
        return record

    @contextmanager
    def _unpacked(self, folder: str, store: RunStore) -> Iterator[Bundle]:
        """The run's data in a folder beside the others that no list of runs shows."""
        private_folder(store.root)
        with explained("make", store.folder):
            store.folder.mkdir(parents=True, exist_ok=True)
            # no TemporaryDirectory: that one is missing when it is renamed to stay
            path = Path(tempfile.mkdtemp(prefix=".incoming-", dir=store.folder))
        try:
            self._write(folder, path)
            path.chmod(0o755)
            yield Bundle(path)
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def _write(self, folder: str, target: Path) -> None:
        start = f"{folder}/" if folder else ""
        left = self._max_bytes
        for path in self._entries:
            name = path.removeprefix(start)
            if not path.startswith(start) or not _is_data(name):
                continue
            where = target / name
            with explained("write", where):
                where.parent.mkdir(exist_ok=True)
                with open(where, "xb") as file:
                    for chunk in self._content(path):
                        left -= len(chunk)
                        if left < 0:
                            raise self._refused("unpacks to more than it says")
                        file.write(chunk)

    def _content(self, path: str) -> Iterator[bytes]:
        try:
            with self._zip.open(self._entries[path]) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except _BROKEN as error:
            raise StoreError(f"{self.name}: {path} is damaged ({error})") from error

    def _refused(self, why: str) -> StoreError:
        return StoreError(f"{self.name} {why}; it is no archive of runs, and nothing was written")


def _is_data(name: str) -> bool:
    folder, _, file = name.rpartition("/")
    return name in _DATA or (folder == ASSETS and _ASSET.fullmatch(file) is not None)


def _same_data(one: Path, other: Path) -> bool:
    """Whether two bundles hold the same data; reports and locks are not part of it."""
    return _digests(one) == _digests(other)


def _digests(path: Path) -> dict[str, str]:
    with explained("read", path):
        files = [*path.glob("*.json*"), *(path / ASSETS).glob("*.json")]
        names = {file.relative_to(path).as_posix(): file for file in files if file.is_file()}
        return {
            name: hashlib.sha256(file.read_bytes()).hexdigest()
            for name, file in names.items()
            if _is_data(name)
        }
