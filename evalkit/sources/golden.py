"""Golden sets: versioned cases, checked one at a time, frozen by a digest of their content."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from evalkit.config.assets import SetFile
from evalkit.config.problems import MAX_PROBLEMS, Locator, capped
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import GoldenSet
from evalkit.records.case import Case
from evalkit.records.cases import Cases, CasesBuilder
from evalkit.records.digest import canonical_json
from evalkit.sources.case_lines import ReadCase, read_cases
from evalkit.sources.expectations import draft_problem, is_draft
from evalkit.sources.pinning import pin_digest
from evalkit.sources.prompts import name_problems
from evalkit.sources.reading import Reader
from evalkit.sources.references import GOLDEN_SETS, UnknownReference, Version
from evalkit.sources.tree import WorkingTree
from evalkit.spool import SpooledTexts

CASE_FILES = ("cases.jsonl", "cases.yaml")
SET_FILE = "set.yaml"

# What else is wrong with a case, in the eyes of the suites that use it.
CheckCase = Callable[[Case, Callable[[], Locator]], Iterable[Problem]]


class ContentDigest:
    """The digest of cases that come one at a time."""

    def __init__(self) -> None:
        """No case yet."""
        self._digest = hashlib.sha256()

    def add(self, case: Case) -> None:
        """The next case."""
        self._digest.update(canonical_json(case) + b"\n")

    def result(self) -> str:
        """`sha256:` and the digest of all cases so far."""
        return f"sha256:{self._digest.hexdigest()}"


def load_golden_set(
    reader: Reader,
    version: Version,
    *,
    check: CheckCase | None = None,
    keep_cases: bool = True,
) -> GoldenSet | None:
    """A golden set version, or None once its problems are noted.

    `check` adds what suites find wrong with a case. Without `keep_cases` the cases are checked,
    counted and dropped, so that a set of any size fits into memory.
    """
    set_path = f"{version.path}/{SET_FILE}"
    missing = Problem(file=set_path, message="is missing: it names the golden set and its version")
    document = reader.document(set_path, lambda _: missing)
    file = reader.model(SetFile, document) if document is not None else None
    path = _cases_file(reader, version)
    if path is None:
        return None
    reading = _read_all(reader, _Reading(path, check, keep_cases, CasesBuilder(SpooledTexts())))
    if document is None or file is None:
        return None
    locator = Locator(document)
    problems = name_problems(locator, version, file.name, file.version)
    digest = reading.digest.result()
    if not reading.broken and file.digest not in (None, digest):
        problems.append(_thawed(locator, version, path, found=digest, frozen=file.digest))
    reader.problems += problems
    if problems or reading.broken:
        return None
    reader.digests[path] = digest
    return GoldenSet(
        name=file.name,
        version=file.version,
        cases=reading.cases.result() if keep_cases else Cases.of(()),
        digest=digest,
        path=path,
        frozen=file.digest is not None,
        description=file.description,
        owner=file.owner,
        licence=file.licence,
        count=reading.count,
        groups=reading.singles + len(reading.groups),
    )


def _read_all(reader: Reader, reading: "_Reading") -> "_Reading":
    """Every case of the file is taken; what is wrong with them is noted in `reader` too."""
    path = reading.path
    try:
        for read in read_cases(reader.tree, path):
            reading.take(read)
    except ConfigError as error:
        reading.note(error.problems)
    except OSError as error:
        reading.note([Problem(file=path, message=f"cannot be read: {error.strerror}")])
    if reading.count == 0 and not reading.problems:
        reading.note([Problem(file=path, line=1, message="holds no case")])
    reader.problems += reading.problems
    if reading.unsaid:
        reader.unsaid[path] = reading.unsaid
    return reading


def _thawed(
    locator: Locator, version: Version, path: str, *, found: str, frozen: str | None
) -> Problem:
    """The cases of a frozen set are not what was frozen."""
    folder = version.path.rsplit("/", 1)[0]
    return locator.problem(
        ("digest",),
        f"the set is frozen, and the content of {path.rsplit('/', 1)[1]} is not what was frozen",
        value=found,
        expected=frozen,
        suggestion=f"bump the version: leave v{version.number} as it was and put the changed cases "
        f"into {folder}/v{version.number + 1}",
    )


def read_golden_set(tree: FileTree, reference: str) -> GoldenSet:
    """A golden set on its own, apart from the suites that use it. Raises ConfigError."""
    return _read_alone(tree, reference, keep_cases=True)[0]


def freeze(root: Path, reference: str) -> str:
    """Pin the content of a golden set: its digest is written into set.yaml, and returned.

    The rest of the file stays as it is, byte for byte. Nothing is written where the set is frozen
    already. Raises ConfigError for a set with problems or with drafts that nobody has confirmed,
    and for a file that cannot take the line.
    """
    golden, version = _read_alone(
        WorkingTree(root), reference, keep_cases=False, check=_check_confirmed
    )
    path = f"{version.path}/{SET_FILE}"
    if not golden.frozen:
        pin_digest(Path(root) / path, path, golden.digest)
    return golden.digest


def _check_confirmed(case: Case, locate: Callable[[], Locator]) -> Iterable[Problem]:
    if is_draft(case):
        yield draft_problem(locate(), "error")


def _read_alone(
    tree: FileTree, reference: str, *, keep_cases: bool, check: CheckCase | None = None
) -> tuple[GoldenSet, Version]:
    reader = Reader(tree)
    try:
        version = GOLDEN_SETS.resolve(reader, reference)
    except UnknownReference as error:
        problem = Problem(message=str(error), expected=error.expected, suggestion=error.suggestion)
        raise ConfigError([*reader.problems, problem]) from error
    golden = load_golden_set(reader, version, check=check, keep_cases=keep_cases)
    if golden is None:
        errors = [problem for problem in reader.problems if problem.severity == "error"]
        raise ConfigError(capped(errors, reader.unsaid))
    return golden, version


class _Reading(msgspec.Struct):
    """What is known of a cases file while it is read."""

    path: str
    check: CheckCase | None
    keep: bool
    cases: CasesBuilder
    groups: set[str] = msgspec.field(default_factory=set)
    singles: int = 0
    count: int = 0
    problems: list[Problem] = msgspec.field(default_factory=list)
    broken: bool = False
    errors: int = 0
    unsaid: int = 0
    digest: ContentDigest = msgspec.field(default_factory=ContentDigest)

    def take(self, read: ReadCase) -> None:
        """One more case, or one more line that is none."""
        self.count += 1
        case = read.case
        if case is None or read.locate is None:
            self.broken = True
            if self.errors >= MAX_PROBLEMS:
                self.unsaid += 1
            else:
                self.note(read.explain())
            return
        text = read.text if self.keep else _only_id(case)
        first = self.cases.add_new(case.id, text, line=read.line)
        if first is not None:
            line = self.cases.line_at(first)
            message = f"a case of this id stands in line {line} already"
            self.note([read.locate().problem(("id",), message, value=case.id)])
        if self.check is not None:
            self.note(self.check(case, read.locate))
        if case.group is None:
            self.singles += 1
        else:
            self.groups.add(case.group)
        if not self.broken:
            self.digest.add(case)

    def note(self, problems: Iterable[Problem]) -> None:
        """Keep the first errors and count the rest: a broken file of any size is one screen."""
        for problem in problems:
            if problem.severity == "error":
                self.broken = True
                self.errors += 1
                if self.errors > MAX_PROBLEMS:
                    self.unsaid += 1
                    continue
            self.problems.append(problem)


def _only_id(case: Case) -> bytes:
    return msgspec.json.encode({"id": case.id})


def _cases_file(reader: Reader, version: Version) -> str | None:
    """The one file of the cases, or None once it is noted why there is not one."""
    found = [f"{version.path}/{name}" for name in CASE_FILES]
    present = [path for path in found if reader.exists(path)]
    if len(present) == 1:
        return present[0]
    message = "there are cases.jsonl and cases.yaml; keep one" if present else "there are no cases"
    expected = None if present else " or ".join(CASE_FILES)
    reader.problems.append(Problem(file=version.path, message=message, expected=expected))
    return None
