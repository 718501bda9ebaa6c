"""A further case in a golden set: in its draft, or in a new version beside the frozen one."""

import difflib
import os
import re
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from evalkit.config.assets import SetFile
from evalkit.config.problems import Locator, validate
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem, Refused, UsageError
from evalkit.ports import FileTree
from evalkit.records.asset import GoldenSet
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.sources.golden import CASE_FILES, SET_FILE, read_golden_set
from evalkit.sources.reading import Reader
from evalkit.sources.references import GOLDEN_SETS, UnknownReference
from evalkit.sources.tree import WorkingTree
from evalkit.store.files import explained, write_whole

_NUMBER = re.compile(rb"(?m)^(version:[ \t]*)[0-9]+")
_NOWHERE = "/dev/null"  # as diffs call a file that is not there
_DIGEST = re.compile(rb"(?m)^digest:.*(?:\r?\n|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The version that a case goes into. `base` is what it holds already; `new` tells that it is
    not there yet, and will begin as a copy of `base`: of nothing, where there is no set of the name
    (`new_set`, the content of its set.yaml). `folder` is its path in the project."""

    base: GoldenSet
    number: int
    new: bool
    new_set: bytes | None = None

    @property
    def folder(self) -> str:
        """Where it stands."""
        return GOLDEN_SETS.path(self.base.name, self.number)

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return f"{self.base.name}@v{self.number}"

    @property
    def cases_path(self) -> str:
        """Its file of cases."""
        return f"{self.folder}/{self.base.path.rsplit('/', 1)[1]}"


def find_draft(tree: FileTree, reference: str) -> Draft:
    """The draft of a golden set: its newest version, or the one after it where that is frozen.

    `reference` may name the newest version, and has to where it names any. Raises ConfigError for a
    set that does not load or is not there, and Refused for an older version.
    """
    name, at, _ = reference.partition("@")
    if not GOLDEN_SETS.versions(Reader(tree), name):
        raise _no_such_set(tree, reference, name)
    base = read_golden_set(tree, reference if at else f"{name}@latest")
    newest = GOLDEN_SETS.versions(Reader(tree), name)[-1]
    if newest.number != base.version:
        raise Refused(
            f"{base.reference} is not the newest version of {name}, which is {newest.reference}: "
            f"a case goes into the newest, or into the one after it (`golden add {name}`)"
        )
    return Draft(base=base, number=base.version + base.frozen, new=base.frozen)


def begin_set(tree: FileTree, reference: str, description: str) -> Draft:
    """The first version of a golden set that is not there yet, without a case.

    Raises UsageError for one that is there or a version other than the first, and ConfigError for a
    name that no golden set can have.
    """
    name, at, version = reference.partition("@")
    if at and version != "v1":
        raise UsageError(f"a new golden set begins with v1, and --new with {reference} asks for it")
    content = {"name": name, "version": 1, "description": description}
    path = f"{GOLDEN_SETS.path(name, 1)}/{SET_FILE}"
    written = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100).encode()
    # a name that climbs out of its folder is none
    _, problems = validate(SetFile, Locator(parse_yaml(written, path)))
    if problems:
        raise ConfigError(problems)
    known = GOLDEN_SETS.versions(Reader(tree), name)
    if known:
        raise UsageError(
            f"there is a golden set {name} already ({known[-1].reference}); without --new the case "
            "goes into it"
        )
    base = GoldenSet(
        name=name,
        version=0,
        cases=Cases.of(()),
        digest="",
        path=f"{GOLDEN_SETS.path(name, 1)}/{CASE_FILES[0]}",
    )
    return Draft(base=base, number=1, new=True, new_set=written)


def _no_such_set(tree: FileTree, reference: str, name: str) -> ConfigError:
    try:
        GOLDEN_SETS.resolve(Reader(tree), reference)
    except UnknownReference as error:
        begins = f"--new makes {GOLDEN_SETS.path(name, 1)}, with this case as its first"
        hints = [each for each in (error.suggestion, begins) if each is not None]
        return ConfigError(
            [Problem(message=str(error), expected=error.expected, suggestion=" Or ".join(hints))]
        )
    raise AssertionError("a set without versions does not resolve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a case changes: whole files by their names, as bytes, and the lines to look at."""

    files: dict[str, bytes]
    lines: tuple[str, ...]


def change_of(tree: FileTree, draft: Draft, case: Case) -> Change:
    """The files of the draft with the case in them. Raises ConfigError for files that cannot take
    it, as they are written."""
    files: dict[str, bytes] = {}
    lines: list[str] = []
    before = b"" if draft.new_set is not None else tree.read(draft.base.path)
    if draft.new_set is not None:
        files[SET_FILE] = draft.new_set
        lines += difflib.unified_diff(
            [],
            draft.new_set.decode().splitlines(),
            _NOWHERE,
            f"{draft.folder}/{SET_FILE}",
            n=0,
            lineterm="",
        )
    elif draft.new:
        old_path = draft.base.path.rsplit("/", 1)[0] + f"/{SET_FILE}"
        old = tree.read(old_path)
        files[SET_FILE] = _next_version(old, f"{draft.folder}/{SET_FILE}", draft)
        lines += difflib.unified_diff(
            old.decode().splitlines(),
            files[SET_FILE].decode().splitlines(),
            old_path,
            f"{draft.folder}/{SET_FILE}",
            n=0,
            lineterm="",
        )
    text = msgspec.json.encode(case)
    newline = b"\r\n" if b"\r\n" in before[:4096] else b"\n"
    gap = b"" if not before or before.endswith(b"\n") else newline
    is_yaml = not draft.cases_path.endswith(".jsonl")
    added = (b"- " if is_yaml else b"") + text
    after = before + gap + added + newline
    if is_yaml:
        _check_entry(before, after, case, draft.cases_path)
    files[draft.cases_path.rsplit("/", 1)[1]] = after
    at = (before + gap).count(b"\n")
    lines += [
        f"--- {_NOWHERE if draft.new_set is not None else draft.base.path}",
        f"+++ {draft.cases_path}",
        f"@@ -{at},0 +{at + 1} @@",
        f"+{added.decode()}",
    ]
    return Change(files=files, lines=tuple(lines))


def _next_version(old: bytes, path: str, draft: Draft) -> bytes:
    """set.yaml of the next version: another number, no digest, the rest byte for byte."""
    new = _DIGEST.sub(b"", _NUMBER.sub(rb"\g<1>%d" % draft.number, old, count=1), count=1)
    wanted = {k: v for k, v in parse_yaml(old, path).data.items() if k != "digest"}
    wanted["version"] = draft.number
    try:
        fits = parse_yaml(new, path).data == wanted
    except ConfigError:
        fits = False
    if not fits:
        message = (
            "cannot be made from the version before it: its keys stand in no lines of their own"
        )
        suggestion = f"make {draft.folder} yourself, without `digest`, and repeat the command"
        raise ConfigError([Problem(file=path, message=message, suggestion=suggestion)])
    return new


def _check_entry(before: bytes, after: bytes, case: Case, path: str) -> None:
    try:
        old, new = parse_yaml(before, path).data, parse_yaml(after, path).data
        fits = new == [*old, msgspec.to_builtins(case)]
    except ConfigError:
        fits = False
    if not fits:
        message = "takes no further entry at its end"
        suggestion = "write it as cases.jsonl, or as a list with an entry a line"
        raise ConfigError([Problem(file=path, message=message, suggestion=suggestion)])


def write_change(root: Path, draft: Draft, change: Change) -> None:
    """Write the draft. A new version is there whole or not at all, and never replaces anything.

    Raises StoreError where the disk refuses, or where something stands in its place meanwhile.
    """
    tree = WorkingTree(root)
    if not draft.new:
        for name, content in change.files.items():
            write_whole(tree.root / draft.folder / name, content)
        return
    target = tree.root / draft.folder
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    if draft.new_set is not None:
        _make_folder(tree, target.parent)
    with explained("write", target):
        beside.mkdir()
        try:
            for name, content in change.files.items():
                write_whole(beside / name, content)
            os.rename(beside, target)  # fails where anything but an empty folder stands there
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(beside)
            raise


def _make_folder(tree: WorkingTree, folder: Path) -> None:
    """Make the folder of a new set. Raises ConfigError where a symlink leads out of the project."""
    tree.list(folder.relative_to(tree.root).as_posix())
    with explained("write", folder):
        folder.mkdir(parents=True, exist_ok=True)
