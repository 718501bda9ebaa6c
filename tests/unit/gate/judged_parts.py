"""What stands behind a judge's part, for tests of the gate."""

from typing import Any

from evalkit.gate.judged import CorrectedDrop, JudgeQuestion
from evalkit.records.calibration import JudgeStanding, Share
from evalkit.records.verdict import Estimate, Judged, JudgedArm

FIT = JudgeStanding(standing="fit", tpr=0.9, tnr=0.9, n_pass=100, n_fail=100)


def arm(judged: int = 100, passed: int = 80, **more: Any) -> JudgedArm:
    """An arm by its counts."""
    return JudgedArm(judged=judged, passed=passed, **more)


def judged(**changes: Any) -> Judged:
    """A fit judge on both arms."""
    return Judged(
        **{
            "rubric": "tone@v1",
            "asked": "m-1 on route judge",
            "standing": FIT,
            "baseline": arm(passed=85),
            "candidate": arm(),
            "equal_errors": "verified",
            **changes,
        }
    )


def question(**changes: Any) -> JudgeQuestion:
    """What is asked of the judge `tone`."""
    return JudgeQuestion(**{"name": "judge tone", "alpha": 0.05, **changes})


def drop(
    value: float, lower: float, upper: float, *, groups: int = 1000, p: float = 0.5
) -> CorrectedDrop:
    """A corrected drop with its interval."""
    estimate = Estimate(drop=value, lower=lower, upper=upper)
    return CorrectedDrop(estimate=estimate, p_value=p, groups=groups)


def share(value: float, lower: float, upper: float) -> Share:
    """A corrected rate with its interval."""
    return Share(value=value, lower=lower, upper=upper, n=100)
