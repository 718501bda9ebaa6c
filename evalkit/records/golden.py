"""What is told of golden sets: a case that was added, and what a set holds."""

from typing import Literal

import msgspec

from evalkit.records.case import Case


class AddedCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case that was put into a golden set, or would be (`written` is False).

    `golden` is the version (`name@vN`) and `path` its file of cases; `new_version` tells that the
    case began it, `new_set` that it began the whole set. `lines` are the change as a diff, `review`
    what is left to a person, `pinned` the suites that go on using another version. Schema history:
    `evalkit.golden_add/1` is the first.
    """

    golden: str
    path: str
    new_version: bool
    case: Case
    lines: tuple[str, ...]
    review: tuple[str, ...]
    pinned: tuple[str, ...]
    written: bool
    new_set: bool = False
    schema: Literal["evalkit.golden_add/1"] = "evalkit.golden_add/1"


class WeekRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An ISO week (`2026-W49`): cases that were `added` in it, how many there were at its end
    (`total`), and how many the quota wants by then (`wanted`)."""

    week: str
    added: int
    total: int
    wanted: int


class QuotaStanding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A set against its quota, from the week of its first dated case to this one.

    `owed` is how many cases are missing now. Cases that do not say when they were added count from
    the beginning.
    """

    start: int
    per_week: int
    owed: int
    weeks: tuple[WeekRow, ...] = ()


class SliceCoverage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cases (groups count once) of a slice that a gate asks about. With fewer than `needed` it
    can never pass."""

    suite: str
    tag: str
    groups: int
    needed: int
    required: bool


class Ages(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How old the cases are that say when they were added. `old` are those beyond `bound_days`."""

    dated: int
    undated: int
    median_days: float | None
    oldest_days: int | None
    oldest: str | None
    bound_days: int
    old: int


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the cases came out in the newest stored `runs` of the set's suites, in every arm.

    Of those with `fewest` results or more (`measured`): the ids that never and always failed.
    """

    runs: int
    fewest: int
    measured: int
    never_failed: tuple[str, ...]
    always_failed: tuple[str, ...]


class NearPair(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case, `other`, that asks nearly what an earlier `one` of another group asks; `alike` is at
    most 1."""

    one: str
    other: str
    alike: float


class GoldenStats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a golden set holds and can tell. `detectable_drop` is a fraction, at `flip_share` and a
    margin of 3 pp.

    `sources` counts the cases by where they come from, `drafts` those whose expectation nobody has
    confirmed. `near` is None for a set that is too large to be compared. Schema history:
    `evalkit.golden_stats/1` is the first.
    """

    reference: str
    digest: str
    frozen: bool
    cases: int
    groups: int
    tags: dict[str, int]
    untagged: int
    expected_keys: dict[str, int]
    flip_share: float
    detectable_drop: float | None
    cases_to_pass: int
    quota: QuotaStanding
    slices: tuple[SliceCoverage, ...]
    ages: Ages
    outcomes: Outcomes
    near: tuple[NearPair, ...] | None
    sources: dict[str, int]
    drafts: int
    schema: Literal["evalkit.golden_stats/1"] = "evalkit.golden_stats/1"
