"""What was found when a judge was tried: `rubrics/<name>/v<N>.audit.json`.

Rates are fractions; intervals are 95 % ones.
"""

from typing import Literal

import msgspec

from evalkit.records.calibration import Drift, Share
from evalkit.records.label import LabellerKind

AUDIT_SCHEMA = "evalkit.audit/1"
AuditCheck = Literal[
    "repeat",
    "order",
    "verbosity",
    "self_preference",
    "panel",
    "injection",
    "drift",
    "differential",
]
Finding = Literal["ok", "weak", "not measured"]


class AuditRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that was tried on a judge.

    `n` outputs were asked about, `moved` of them did what a steady judge would not. `share` is
    theirs, or for verbosity the shift of the pass rate and for self-preference how much more often
    the judge passes its own model's outputs (both -1..1). `p` is two-sided, None where the finding
    rests on the share alone. `detail` holds further figures in words. `todo` says what to do, or
    why nothing was measured.
    """

    check: AuditCheck
    name: str
    tried: str
    n: int = 0
    moved: int = 0
    share: Share | None = None
    p: float | None = None
    finding: Finding
    detail: str = ""
    todo: str = ""


class JudgeAudit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An audit. `judge` is the digest of who was asked and how, `asked` the same in words.

    `outputs` labelled outputs were sampled with `seed` and asked about `repeats` further times;
    `labelled_by` says who labelled them. `calls` counts the judge's replies, those from the cache
    included, `errors` the ones that never came.
    """

    schema: str
    rubric: str
    judge: str
    asked: str
    made_at: str
    evalkit: str
    seed: int
    repeats: int
    outputs: int
    labelled_by: tuple[LabellerKind, ...]
    calls: int
    errors: int
    billed_usd: float
    rows: tuple[AuditRow, ...]
    drift: Drift | None = None

    @property
    def weak(self) -> tuple[AuditRow, ...]:
        """What was found weak."""
        return tuple(row for row in self.rows if row.finding == "weak")

    def row(self, name: str) -> AuditRow:
        """The row of a name. Raises KeyError."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)
