"""Verdicts on result files of other harnesses: which files are meant, and what keeps them apart."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from evalkit.errors import Refused, UsageError
from evalkit.gate import add_parts, compare_results, decide_verdict
from evalkit.records.results import Results
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict, Verdict
from evalkit.sources.results import ResultChoice, read_results
from evalkit.sources.results.promptfoo_columns import SELECTORS

_SUFFIXES = (".csv", ".jsonl", ".json", ".xml", ".eval")
_SIDES = ("base", "cand")
_SHOWN = 3
_HEAD = 4096  # bytes, in which run.json names its schema


def is_result_file(name: str) -> bool:
    """Whether a name is one of a result file rather than of a run.

    The `run.json` of a run's folder is the run. Any other file that is named by a path is taken for
    results, whatever its name ends with (`/dev/fd/63` of a shell, too).
    """
    path = Path(name)
    if path.name == "run.json" and _is_run(path):
        return False
    if name.lower().endswith(_SUFFIXES):
        return True
    try:
        return os.sep in name and path.exists() and not path.is_dir()
    except (OSError, ValueError):
        return False


def _is_run(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b'"evalkit.run/' in file.read(_HEAD)
    except (OSError, ValueError):
        return False


class FileChoices(msgspec.Struct, frozen=True, kw_only=True):
    """What is said about result files on a command line; see `ResultChoice`.

    `select` holds KEY=VALUE, with `base.` or `cand.` before a key that is meant for one side.
    """

    scorer: str | None = None
    pass_at: float | None = None
    select: tuple[str, ...] = ()

    def of(self, side: str) -> ResultChoice:
        """What is said about one side. Raises UsageError for what cannot be meant."""
        if self.pass_at is not None and not math.isfinite(self.pass_at):
            raise UsageError(f"--pass-at is a finite score, not {self.pass_at}")
        select: dict[str, str] = {}
        for text in self.select:
            key, equals, value = text.partition("=")
            meant, dot, short = key.partition(".")
            key = short if dot and meant in _SIDES else key
            if not equals or key not in SELECTORS:
                known = ", ".join(f"{name}=…" for name in SELECTORS)
                raise UsageError(
                    f"--select {text!r} is none of {known}, with base. or cand. in front for one "
                    "side"
                )
            if not dot or meant not in _SIDES or meant == side:
                select[key] = value
        return ResultChoice(scorer=self.scorer, pass_at=self.pass_at, select=select)


def compare_files(
    base: str,
    cand: str,
    *,
    max_drop_pp: float = 3,
    rule: str = "statistical",
    choices: FileChoices | None = None,
    accept_changed: bool = False,
) -> Verdict:
    """Gate the results in `cand` against those in `base`.

    Cases that were given or judged differently keep the verdict from passing, unless
    `accept_changed`. Raises ConfigError for files that do not hold results, Refused for results
    that are the same or have no case in common, UsageError for a margin that is none or a choice
    that decides nothing.
    """
    choices = choices or FileChoices()
    chosen = [choices.of(side) for side in _SIDES]
    same = _same(base, cand)
    if same and chosen[0] == chosen[1]:
        raise _itself(base)
    sides = [
        read_results(Path(name), choice) for name, choice in zip((base, cand), chosen, strict=True)
    ]
    if same and sides[0].about == sides[1].about:  # one column by two of its names
        raise _itself(base)
    _check_used(choices, chosen, sides)
    _check_met(base, cand, *sides)
    try:
        verdict = compare_results(sides[0].rows, sides[1].rows, max_drop_pp, rule=rule)
    except ValueError as error:
        raise UsageError(str(error)) from error
    suite = _without_a_run(verdict.suites[0])
    changed = [] if accept_changed else _changed(*sides)
    if changed:
        suite = add_parts(suite, [_changed_part(changed)])
    notes = tuple(
        f"{label} {name}: {_told(side)}"
        for label, name, side in zip(("baseline", "candidate"), (base, cand), sides, strict=True)
    )
    return decide_verdict([suite.revised(notes=(*suite.notes, *notes))])


def _itself(name: str) -> Refused:
    return Refused(f"both sides are the same results of {name}, so there is nothing to compare")


def _without_a_run(suite: SuiteVerdict) -> SuiteVerdict:
    """The suite without the advice to resume a run: the one that wrote a file is not ours."""
    parts = tuple(
        part.revised(what_would_settle=part.what_would_settle.replace(": resume the run", ""))
        if part.what_would_settle
        else part
        for part in suite.parts
    )
    return suite.revised(parts=parts)


def _same(base: str, cand: str) -> bool:
    try:
        return os.path.samefile(base, cand)
    except (OSError, ValueError):
        return base == cand


def _check_used(
    choices: FileChoices, chosen: Sequence[ResultChoice], sides: Sequence[Results]
) -> None:
    """Raise UsageError for an option that no file of the two has anything to do with."""
    used = sides[0].used | sides[1].used
    for name, given, owner in (
        ("scorer", choices.scorer is not None, "logs of inspect_ai"),
        ("pass_at", choices.pass_at is not None, "logs of inspect_ai"),
        ("select", bool(choices.select), "results of promptfoo"),
    ):
        if given and name not in used:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} is for {owner}, and neither file holds such")
    for side, choice, results in zip(_SIDES, chosen, sides, strict=True):
        only = [text for text in choices.select if text.startswith(f"{side}.")]
        if only and choice.select and "select" not in results.used:
            raise UsageError(f"--select {only[0]} is for results of promptfoo, which {side} is not")


def _check_met(base: str, cand: str, before: Results, after: Results) -> None:
    """Raise Refused where no case is on both sides."""
    old, new = (dict.fromkeys(row.case for row in side.rows) for side in (before, after))
    if old.keys() & new.keys():
        return
    raise Refused(
        f"no case is in both files, so there is nothing to compare: {base} has {_examples(old)}, "
        f"{cand} has {_examples(new)}"
    )


def _examples(cases: Mapping[str, None]) -> str:
    shown = ", ".join(
        ascii(case) if not case.isprintable() else repr(case) for case in list(cases)[:_SHOWN]
    )
    more = len(cases) - _SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _changed(before: Results, after: Results) -> list[str]:
    """Cases of both sides that were given or judged differently, where the files can tell."""
    if before.kind != after.kind:
        return []
    return [
        case for case, digest in after.checks.items() if before.checks.get(case, digest) != digest
    ]


def _changed_part(changed: Sequence[str]) -> PartVerdict:
    """What keeps a candidate from passing because its tests became others."""
    open_ = Outcome.INCONCLUSIVE
    named = _examples(dict.fromkeys(changed))
    were = "case was" if len(changed) == 1 else "cases were"
    return PartVerdict(
        name="tests",
        kind="guard",
        outcome=open_,
        best=open_,
        worst=open_,
        required=True,
        held=True,
        cases=tuple(changed),
        message=(
            f"{len(changed):,} {were} given another input or judged by other rules in the "
            f"candidate than in the baseline: {named}."
        ),
        what_would_settle=(
            "The baseline's results with the tests of the candidate, or --accept-gate-change after "
            "a look at what changed."
        ),
    )


def _told(side: Results) -> str:
    """What was read of one side, for a note."""
    cases = len({row.case for row in side.rows})
    text = f"{side.about}; {_count(cases, 'case')}, {_count(len(side.rows), 'result')}"
    lost = sum(side.unknown.values())
    if lost:
        reasons = ", ".join(f"{reason}: {number:,}" for reason, number in side.unknown.items())
        text += f", {lost:,} of them unknown ({reasons})"
    return text


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
