"""All that a run knows about one case: what `evalkit show RUN CASE` shows.

Schema history: `evalkit.case/1` is the first.
"""

from typing import Literal

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.call import Decision
from evalkit.records.case import Case
from evalkit.records.judgment import Judgment
from evalkit.records.score import Score
from evalkit.records.span import Span


class AttemptView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt, its scores, and every decision of its session.

    `passed` is None without a result. `traced` tells that `decisions` are the whole trace; without
    it they are the policy events that the journal keeps. `judgments` are what judges said of it.
    `spans` are what its session did, empty in bundles of an older evalkit; `trace_id` is the id
    under which a collector has them.
    """

    attempt: Attempt
    passed: bool | None
    scores: tuple[Score, ...]
    decisions: tuple[Decision, ...]
    traced: bool
    judgments: tuple[Judgment, ...] = ()
    spans: tuple[Span, ...] = ()
    trace_id: str = ""


class SuiteCaseView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case in one suite. `place` is its `file:line`.

    `apart` names the judges that decide a part of the verdict of their own.
    """

    suite: str
    case: Case
    attempts: tuple[AttemptView, ...]
    place: str | None = None
    apart: tuple[str, ...] = ()


class CaseView(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The case in every suite of the run that has one of this id."""

    run: str
    suites: tuple[SuiteCaseView, ...]
    schema: Literal["evalkit.case/1"] = "evalkit.case/1"
