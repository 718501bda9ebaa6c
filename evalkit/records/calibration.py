"""What is known of a judge's errors: `rubrics/<name>/v<N>.calibration.json`.

Rates are fractions; intervals are 95 % unless a field says otherwise.
"""

from typing import Literal

import msgspec

from evalkit.records.label import LabellerKind

CALIBRATION_SCHEMA = "evalkit.calibration/1"
Method = Literal["naive", "rogan_gladen", "post_stratified", "ppi"]


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate with its interval. `n` is how many it rests on, as an effective number if weighted."""

    value: float
    lower: float
    upper: float
    n: float


class Confusion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labels against verdicts, as (weighted) counts; `abstained_*` have no verdict.

    `true_pass`: label pass, verdict pass. `false_fail`: label pass, verdict fail. `false_pass`:
    label fail, verdict pass. `true_fail`: label fail, verdict fail.
    """

    true_pass: float
    false_fail: float
    false_pass: float
    true_fail: float
    abstained_pass: float = 0.0
    abstained_fail: float = 0.0


class Agreement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far two raters agree: reported, never gated on. None where it is not defined."""

    n: int
    raw: float
    kappa: float | None = None
    kappa_interval: tuple[float, float] | None = None
    ac1: float | None = None
    ac1_interval: tuple[float, float] | None = None
    alpha: float | None = None


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Items of about one score: their mean predicted probability and the share labelled pass."""

    n: int
    lowest: float
    highest: float
    predicted: float
    observed: Share


class Reliability(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a graded score tells the probability of a pass, on the test part.

    `method` made probabilities of scores on the tuning part. `ece` is by bins of equal mass.
    """

    method: Literal["platt", "isotonic"]
    bins: tuple[ReliabilityBin, ...]
    ece: float
    brier: float
    auc: float | None = None


class CorrectedRate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pass rate by one method. `applies` marks the one that fits how the labels came about."""

    method: Method
    rate: Share | None
    applies: bool
    why: str


class LabelCounts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many labelled items there are. `disputed` wait for adjudication and count nowhere."""

    tuning_passes: int
    tuning_fails: int
    test_passes: int
    test_fails: int
    double: int = 0
    disputed: int = 0


class Drift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether the judge still judges as it did: what was compared, and p of the exact test.

    `test` is mcnemar (old against new verdicts of the anchor set) or fisher (errors on spot checks
    against the calibration's). Below .01 the calibration is stale.
    """

    test: Literal["mcnemar", "fisher"]
    n: int
    changed: int
    p: float
    at: str


class JudgeMeasured(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A judge held against labels: all that `evalkit judge calibrate` reports.

    `tpr`, `tnr` and `youden` (J = TPR + TNR - 1) are of the test part, at `threshold` for a graded
    scale. `human` is two labellers on one item: the ceiling; its `kind` is what the labels are.
    `fit` says whether it may gate, `why` each reason against (empty for a fit judge).
    """

    counts: LabelCounts
    labelled_by: tuple[LabellerKind, ...]
    confusion: Confusion
    tpr: Share | None
    tnr: Share | None
    youden: Share | None
    agreement: Agreement | None
    ceiling: Agreement | None
    abstained: float
    threshold: float | None = None
    reliability: Reliability | None = None
    rates: tuple[CorrectedRate, ...] = ()
    width_pp: float | None = None
    missing_labels: int | None = None
    fit: bool = False
    why: tuple[str, ...] = ()

    @property
    def human(self) -> bool:
        """Whether people made every label."""
        return self.labelled_by == ("person",)


class Calibration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A measured judge, bound to what was measured. `judge` digests model and snapshot, prompt,
    parameters and rubric; `labels` the label set. `asked` says in words who judges.

    `verdicts` are the judge's on every labelled item by id (a score for a graded scale, None for no
    verdict): what drift is told by. `drifted` is the last drift test that failed.
    """

    schema: str
    rubric: str
    judge: str
    labels: str
    asked: str
    made_at: str
    evalkit: str
    measured: JudgeMeasured
    verdicts: dict[str, bool | float | None] = {}
    drifted: Drift | None = None


Standing = Literal["fit", "unfit", "uncalibrated", "stale"]


class JudgeStanding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a judge may gate today, and the error rates with which its drop is corrected.

    `why` says in whole sentences what stands against it (empty for a fit one). `n_pass` and
    `n_fail` are the (effective) numbers of labels behind `tpr` and `tnr`.
    """

    standing: Standing
    why: tuple[str, ...] = ()
    tpr: float | None = None
    tnr: float | None = None
    n_pass: float = 0.0
    n_fail: float = 0.0
    threshold: float | None = None
    labelled_by: tuple[LabellerKind, ...] = ()

    @property
    def fit(self) -> bool:
        """Whether it may gate."""
        return self.standing == "fit"
