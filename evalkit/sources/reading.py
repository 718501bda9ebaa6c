"""Files of a tree as documents, each read once, with every problem kept for the end."""

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from pydantic import BaseModel

from evalkit.config.document import Document
from evalkit.config.json_document import parse_json
from evalkit.config.problems import Locator, validate
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.digest import digest_of

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Explain = Callable[[str], Problem]


class Reader(msgspec.Struct):
    """Reads a tree. `problems` collects errors and warnings of everything that was read.

    `unsaid` counts, by file, the errors beyond those that are worth keeping. `digests` maps the
    path of each asset that is in order to the digest of its content.
    """

    tree: FileTree
    problems: list[Problem] = msgspec.field(default_factory=list)
    unsaid: dict[str, int] = msgspec.field(default_factory=dict)
    digests: dict[str, str] = msgspec.field(default_factory=dict)
    _documents: dict[str, Document | None] = msgspec.field(default_factory=dict)
    _made: dict[str, Any] = msgspec.field(default_factory=dict)

    def document(self, path: str, missing: Explain) -> Document | None:
        """The YAML or JSON document at `path`, or None once its problems are noted.

        `missing` makes the problem of a file that is not there, at the place that names it.
        """
        if path in self._documents:
            return self._documents[path]
        parse = parse_json if path.endswith(".json") else parse_yaml
        document: Document | None = None
        try:
            document = parse(self.tree.read(path), path)
        except FileNotFoundError:
            self.problems.append(missing(f"there is no file {path}"))
            return None  # said again wherever the file is named
        except ConfigError as error:
            self.problems += error.problems
        self._documents[path] = document
        return document

    def text(self, path: str, missing: Explain) -> str | None:
        """The text of a file that is no document, digested; None once its problems are noted."""
        try:
            text = self.tree.read(path).decode()
        except FileNotFoundError:
            self.problems.append(missing(f"there is no file {path}"))
            return None
        except UnicodeDecodeError:
            self.problems.append(Problem(file=path, message="is not text in UTF-8"))
            return None
        except ConfigError as error:
            self.problems += error.problems
            return None
        self.digests[path] = digest_of(text)
        return text

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty where there is none or it cannot be read."""
        return self._noted(lambda: self.tree.list(folder), [])

    def exists(self, path: str) -> bool:
        """Whether there is such a file that can be read."""
        return self._noted(lambda: self.tree.exists(path), False)

    def _noted(self, look: Callable[[], T], otherwise: T) -> T:
        try:
            return look()
        except ConfigError as error:
            self.problems += [each for each in error.problems if each not in self.problems]
            return otherwise

    def once(self, path: str, missing: Explain, make: Callable[[Document], T | None]) -> T | None:
        """What `make` gives for the file, made and complained about once however often it is named.

        None where the file is missing or has problems.
        """
        document = self.document(path, missing)
        if document is None:
            return None
        if path not in self._made:
            self._made[path] = made = make(document)
            if made is not None:
                self.digests[path] = digest_of(document.data)
        found: T | None = self._made[path]
        return found

    def data(self, path: str) -> Any:
        """The plain data of a document that was read before."""
        document = self._documents[path]
        return None if document is None else document.data

    def model(self, kind: type[M], document: Document) -> M | None:
        """The document's content as `kind`, or None once its problems are noted."""
        found, problems = validate(kind, Locator(document))
        self.problems += problems
        return found
