"""`name@vN` and `name@latest`, looked up among what a project has."""

import re
from typing import Protocol

import msgspec

from evalkit.config.problems import listed, suggest

_VERSION = re.compile(r"v([1-9][0-9]*)")


class Folders(Protocol):
    """What knows the names in a folder."""

    def list(self, folder: str) -> list[str]:
        """Names in a folder, sorted; empty where there is none."""


class UnknownReference(Exception):
    """Nothing of that name and version exists; the text lists what does."""

    def __init__(self, message: str, *, expected: str, suggestion: str | None) -> None:
        """Keep what exists and what was perhaps meant."""
        self.expected = expected
        self.suggestion = suggestion
        super().__init__(message)


class Version(msgspec.Struct, frozen=True, order=True):
    """One version of a named asset; `path` is its file, or its folder for a golden set."""

    name: str
    number: int
    path: str

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return f"{self.name}@v{self.number}"


class Shelf(msgspec.Struct, frozen=True):
    """Where one kind of asset stands: `<folder>/<name>/v<N><suffix>`.

    `ignored` are endings of files that belong to a version without being one.
    """

    folder: str
    suffix: str
    noun: str
    ignored: tuple[str, ...] = ()

    def path(self, name: str, number: int) -> str:
        """Where a version has to stand."""
        return f"{self.folder}/{name}/v{number}{self.suffix}"

    def versions(self, tree: Folders, name: str) -> list[Version]:
        """The versions of one name, oldest first."""
        found = []
        for entry in tree.list(f"{self.folder}/{name}"):
            match = _VERSION.fullmatch(entry.removesuffix(self.suffix))
            if match and entry.endswith(self.suffix):
                number = int(match.group(1))
                found.append(Version(name, number, self.path(name, number)))
        return sorted(found)

    def all(self, tree: Folders) -> list[Version]:
        """Every version of every name."""
        return [each for name in tree.list(self.folder) for each in self.versions(tree, name)]

    def strangers(self, tree: Folders) -> list[str]:
        """Files and folders on the shelf that look like versions and are none."""
        found = []
        for name in tree.list(self.folder):
            known = {each.path for each in self.versions(tree, name)}
            entries = tree.list(f"{self.folder}/{name}")
            if not entries and not is_aside(name):
                found.append(f"{self.folder}/{name}")
            for entry in entries:
                path = f"{self.folder}/{name}/{entry}"
                if path not in known and not is_aside(entry) and not entry.endswith(self.ignored):
                    found.append(path)
        return found

    def resolve(self, tree: Folders, reference: str) -> Version:
        """The version that a reference names. Raises UnknownReference."""
        name, at, wanted = reference.partition("@")
        versions = self.versions(tree, name)
        if versions and not at:
            raise UnknownReference(
                f"{reference!r} names no version of the {self.noun}",
                expected=f"one of {listed([each.reference for each in versions])}",
                suggestion=None,
            )
        if not versions:
            names = [each for each in tree.list(self.folder) if self.versions(tree, each)]
            raise UnknownReference(
                f"there is no {self.noun} {name!r}",
                expected=f"a {self.noun} in {self.folder}/: {listed(names)}",
                suggestion=suggest(name, names),
            )
        if wanted == "latest":
            return versions[-1]
        for version in versions:
            if f"v{version.number}" == wanted:
                return version
        existing = [version.reference for version in versions]
        raise UnknownReference(
            f"{self.noun} {name!r} has no version {wanted}",
            expected=f"one of {listed(existing)}",
            suggestion=suggest(reference, existing),
        )


def is_aside(name: str) -> bool:
    """Whether a file is for people or tools other than evalkit: hidden, or a readme."""
    return name.startswith(".") or name.casefold().startswith("readme")


PROMPTS = Shelf("prompts", ".yaml", "prompt")
AGENTS = Shelf("agents", ".yaml", "agent")
GOLDEN_SETS = Shelf("goldensets", "", "golden set")
RUBRICS = Shelf(
    "rubrics",
    ".yaml",
    "rubric",
    ignored=(
        ".labels.jsonl",
        ".calibration.json",
        ".audit.json",
        ".guideline.md",
        ".verdicts.jsonl",
    ),
)
