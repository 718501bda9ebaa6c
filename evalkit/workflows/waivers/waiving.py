"""`evalkit waive`: accept a part that did not pass, see what is accepted, take it back.

The record is waivers.yaml, which is committed and reviewed like any other change (docs/waivers.md).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydantic import ValidationError

from evalkit.config.problems import suggest
from evalkit.config.waivers import MAX_DAYS, WaiverEntry
from evalkit.config.wording import describe
from evalkit.errors import Refused, UsageError
from evalkit.gate.waiving import propose_waiver
from evalkit.records.verdict import PartVerdict, SuiteVerdict, Waiver
from evalkit.sources.git_command import GitFailed, run_git
from evalkit.sources.tree import WorkingTree
from evalkit.sources.waiver_entries import entry_data, with_waiver, without_waiver
from evalkit.sources.waivers import WAIVERS_FILE, load_waivers
from evalkit.store.files import write_whole
from evalkit.store.runs import RunStore
from evalkit.workflows.setup.deadlines import today_utc
from evalkit.workflows.waivers.waivable import does_not_pass, find_part

_DAYS = re.compile(r"([1-9][0-9]{0,3})d")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiveRequest:
    """What the command line asks to accept. `until` is a day, or `30d` from today."""

    suite: str | None = None
    part: str | None = None
    reason: str | None = None
    until: str | None = None
    by: str | None = None
    id: str | None = None
    renew: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waived:
    """A new waiver, the ones of the same part that it stands for, and the run it was taken from."""

    waiver: Waiver
    replaced: tuple[Waiver, ...]
    run: str
    written: bool


def waive_part(
    root: Path, run: str, request: WaiveRequest, *, runs_root: Path, today: date | None = None
) -> Waived:
    """Write a waiver of a part that did not pass in a stored run of `runs_root`.

    It covers what was measured there, and no more. Entries of the same part that expired give way
    to it; one in force does with `renew`. Raises UsageError where it is not clear what is to be
    accepted, Refused for a run without a verdict, ConfigError for a file that is not in order.
    """
    day = today or today_utc()
    held = load_waivers(WorkingTree(root), today=day)
    record = RunStore(runs_root).open(run).read_record()
    suite, part = find_part(record, request.suite, request.part)
    _check_words(suite, part, request)
    replaced = _replaced(held, suite, part, request, day)
    kept = [waiver for waiver in held if waiver not in replaced]
    try:
        waiver = propose_waiver(
            part,
            suite=suite.suite,
            id=_id(request.id, suite.suite, part.name, day, kept),
            reason=(request.reason or "").strip(),
            accepted_by=(request.by or _committer(root)).strip(),
            on=day.isoformat(),
            until=_until(request.until or "", day).isoformat(),
        )
    except ValueError as error:
        raise UsageError(f"it cannot be waived: {error}") from error
    _check_entry(waiver)
    raw = _read(root)
    for old in replaced:
        raw = without_waiver(raw or b"", old.id)
    content = with_waiver(raw, waiver)
    if not request.dry_run:
        write_whole(root / WAIVERS_FILE, content)
    return Waived(waiver=waiver, replaced=replaced, run=record.id, written=not request.dry_run)


def remove_waiver(root: Path, id_: str) -> Waiver:
    """Take a waiver out of the file and return it. Raises UsageError for an id that it lacks."""
    held = load_waivers(WorkingTree(root))
    found = next((waiver for waiver in held if waiver.id == id_), None)
    if found is None:
        ids = [waiver.id for waiver in held]
        hint = suggest(id_, ids)
        has = f"{WAIVERS_FILE} has {', '.join(ids)}" if ids else f"{WAIVERS_FILE} has none"
        raise UsageError(f"there is no waiver {id_!r}; {has}" + (f"; {hint}" if hint else ""))
    write_whole(root / WAIVERS_FILE, without_waiver(_read(root) or b"", id_))
    return found


def _check_words(suite: SuiteVerdict, part: PartVerdict, request: WaiveRequest) -> None:
    missing = [
        flag
        for flag, given in (("--reason TEXT", request.reason), ("--until DATE", request.until))
        if not given
    ]
    if missing:
        raise UsageError(
            f"to accept that {part.name} of {suite.suite} {does_not_pass(part)}, give "
            f"{' and '.join(missing)} (such as --until 30d)"
        )


def _replaced(
    held: Iterable[Waiver], suite: SuiteVerdict, part: PartVerdict, request: WaiveRequest, day: date
) -> tuple[Waiver, ...]:
    """The entries that a new one takes the place of."""
    same = [each for each in held if (each.suite, each.part) == (suite.suite, part.name)]
    in_force = [each for each in same if each.until >= day.isoformat()]
    if in_force and not request.renew:
        first = in_force[0]
        raise UsageError(
            f"waiver {first.id} of {first.part} is in force until {first.until}; put a new one in "
            f"its place with --renew, or remove it: evalkit waive --remove {first.id}"
        )
    return tuple(same)


def _until(written: str, day: date) -> date:
    """The last day, of a date or of a number of days from today. Raises UsageError."""
    if found := _DAYS.fullmatch(written):
        end = day + timedelta(days=int(found[1]))
    else:
        try:
            end = date.fromisoformat(written)
        except ValueError as error:
            raise UsageError(
                f"--until takes a date (YYYY-MM-DD) or a number of days (30d), not {written!r}"
            ) from error
    last = day + timedelta(days=MAX_DAYS)
    if not day <= end <= last:
        raise UsageError(
            f"--until {end} is not between today and {last}: a waiver holds for a year at most"
        )
    return end


def _id(given: str | None, suite: str, part: str, day: date, kept: Sequence[Waiver]) -> str:
    taken = {waiver.id for waiver in kept}
    if given is not None:
        if given in taken:
            raise UsageError(f"there is a waiver {given!r} already; give another --id")
        return given
    words = re.sub(r"[^A-Za-z0-9_]+", "-", part).strip("-")
    start = f"{suite}-{words}"[:80] + f"-{day}"
    names = [start, *(f"{start}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def _check_entry(waiver: Waiver) -> None:
    """Raise UsageError for words of the command line that the file does not take."""
    data = entry_data(waiver)
    flags = {"id": "--id", "reason": "--reason", "accepted_by": "--by"}
    try:
        WaiverEntry.model_validate(data)
    except ValidationError as error:
        faults = [
            f"{flags.get(str(each.path[0]), each.path[0])}: {each.expected or each.message}"
            for each in describe(error, WaiverEntry, data)
        ]
        raise UsageError("; ".join(faults)) from error


def _committer(root: Path) -> str:
    """Who git says is at work, by name and address. Raises UsageError where it does not know."""
    found = []
    for key in ("user.name", "user.email"):
        try:
            found.append(run_git(root, "config", "--get", key).decode(errors="replace").strip())
        except (GitFailed, Refused):
            found.append("")
    name, email = found
    if not name:
        raise UsageError("say who accepts it: --by 'NAME <EMAIL>' (git has no user.name here)")
    return f"{name} <{email}>" if email else name


def _read(root: Path) -> bytes | None:
    try:
        return WorkingTree(root).read(WAIVERS_FILE)
    except FileNotFoundError:
        return None
