"""What both variants are measured with, against what it was: cases, schemas, the baseline itself.

Pure comparisons in sentences, like `loosening`; `guards` decides what they are held against.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec.structs import replace

from evalkit.config.suites import Baseline, SetBaseline
from evalkit.gate.wording import named
from evalkit.records.asset import GoldenSet
from evalkit.records.case import Case
from evalkit.sources.assets import SuiteAssets

# who wrote a case and when says nothing about what it asks
_ASKED = ("input", "expected", "documents", "tools", "approvals", "identity", "group", "tags")


def changed_cases(old: GoldenSet, new: GoldenSet, slices: Collection[str]) -> Iterable[str]:
    """Cases that are gone, and cases that no longer ask what they asked.

    New ones only add to what is asked. A lost tag counts where one of `slices` reads it.
    """
    if old.digest == new.digest:
        return
    now = {case.id: case for case in new.cases}
    gone = [case.id for case in old.cases if case.id not in now]
    hint = "; a changed set needs a new version" if old.reference == new.reference else ""
    if gone:
        yield f"{_cases(gone)} of {old.reference} {_are(gone)} gone: {named(gone)}{hint}"
    edited = [
        f"{case.id} ({', '.join(differing)})"
        for case in old.cases
        if case.id in now and (differing := _differing(case, now[case.id], slices))
    ]
    if edited:
        yield f"{_cases(edited)} of {old.reference} changed: {named(edited)}{hint}"


def changed_schemas(old: SuiteAssets, new: SuiteAssets) -> Iterable[str]:
    """Schemas of gating scorers whose content is another one under the same path."""
    for entry in old.suite.scorers:
        path = entry.json_schema
        if path is None or not entry.gate or path not in new.schemas:
            continue
        if old.schemas[path] != new.schemas[path]:
            yield f"{path}, which the gating scorer {entry.label} holds replies to, was changed"


def moved_baseline(old: Baseline | None, new: Baseline | None) -> Iterable[str]:
    """A baseline that names something else: what is shipped no longer is what is compared with."""
    if new is not None and new != old:
        yield f"the baseline went from {baseline_words(old)} to {baseline_words(new)}"


def changed_alike(
    old: Mapping[str, str], baseline: Mapping[str, str], candidate: Mapping[str, str]
) -> list[str]:
    """What differs from `old` in both variants, which are equal by it whatever it does.

    Where a provider is reached is left out: it says nothing about the target.
    """
    return [
        name
        for name, digest in candidate.items()
        if old.get(name) != digest == baseline.get(name) and not _is_address(name)
    ]


def changed_baseline(
    old: Mapping[str, str], baseline: Mapping[str, str], candidate: Mapping[str, str]
) -> list[str]:
    """What differs in the baseline alone from what the same baseline was before, `old`."""
    return [
        name
        for name, digest in baseline.items()
        if name in old and old[name] != digest != candidate.get(name) and not _is_address(name)
    ]


def _differing(old: Case, new: Case, slices: Collection[str]) -> list[str]:
    """The fields in which a case asks something else."""
    kept = tuple(tag for tag in old.tags if tag in slices)
    before = replace(old, tags=kept)
    after = replace(new, tags=tuple(tag for tag in kept if tag in new.tags))
    return [name for name in _ASKED if getattr(before, name) != getattr(after, name)]


def _is_address(name: str) -> bool:
    return name.startswith("providers.")


def baseline_words(baseline: Baseline | None) -> str:
    """What a baseline is, as configured."""
    if baseline is None:
        return "the default"
    if isinstance(baseline, SetBaseline):
        return ", ".join(f"{key}={value}" for key, value in baseline.set.items())
    return baseline


def _cases(names: Sequence[str]) -> str:
    return "a case" if len(names) == 1 else f"{len(names)} cases"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
