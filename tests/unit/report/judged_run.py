"""A stored run with a judge, built by hand: what it said, and the part that it decides."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.calibration import JudgeStanding, Share
from evalkit.records.call import Usage
from evalkit.records.judgment import JudgeCall, Judgment, JudgmentState, Opinion
from evalkit.records.run import JudgeSetting, JudgingTotals, StoredRun
from evalkit.records.score import Score, ScoreState
from evalkit.records.verdict import (
    Estimate,
    Judged,
    JudgedArm,
    Outcome,
    PartVerdict,
    SuiteVerdict,
    Verdict,
)
from tests.unit.report.conftest import MakeRun, Passes, Place

ASKED = "gpt-4.1 through route judge"
FIT = JudgeStanding(
    standing="fit", tpr=0.925, tnr=0.967, n_pass=120, n_fail=120, labelled_by=("model",)
)
UNCALIBRATED = JudgeStanding(
    standing="uncalibrated", why=("Nobody has measured how often the judge of tone@v1 is wrong.",)
)
JUDGING = JudgingTotals(
    judgments=6,
    shared=2,
    calls=4,
    input_tokens=1_800,
    output_tokens=200,
    cost_usd=0.02,
    billed_usd=0.02,
)
Verdicts = Mapping[str, tuple[bool | JudgmentState, bool | JudgmentState]]


def share(value: float) -> Share:
    return Share(value=value, lower=value - 0.1, upper=min(1.0, value + 0.1), n=120)


def arm(passed: int, judged: int = 100, **more: Any) -> JudgedArm:
    return JudgedArm(judged=judged, passed=passed, **more)


def judged(**more: Any) -> Judged:
    values: dict[str, Any] = {
        "rubric": "tone@v1",
        "asked": ASKED,
        "standing": FIT,
        "baseline": arm(80, corrected=share(0.85)),
        "candidate": arm(60, corrected=share(0.62)),
        "equal_errors": "assumed",
    }
    return Judged(**(values | more))


def judge_part(outcome: Outcome = Outcome.FAIL, **more: Any) -> PartVerdict:
    """A part that decided: its drop is corrected."""
    values: dict[str, Any] = {
        "name": "judge tone",
        "kind": "judge",
        "outcome": outcome,
        "best": outcome,
        "worst": outcome,
        "required": True,
        "message": "By tone@v1, corrected for the judge's errors, the pass rate drops by 23 pp.",
        "alpha": 0.05,
        "estimate": Estimate(drop=0.23, lower=0.12, upper=0.34),
        "margin": 0.05,
        "judged": judged(),
    }
    return PartVerdict(**(values | more))


def blocked_part(**more: Any) -> PartVerdict:
    """A part of a judge that nobody measured."""
    values: dict[str, Any] = {
        "outcome": Outcome.INCONCLUSIVE,
        "estimate": None,
        "message": (
            "Nobody has measured how often the judge of tone@v1 is wrong. So it cannot decide, and "
            "what it requires stays open. The judge, gpt-4.1 through route judge, passes 80 % of "
            "the baseline's outputs and 60 % of the candidate's."
        ),
        "what_would_settle": "Measure it: evalkit judge calibrate tone@v1.",
        "judged": judged(
            standing=UNCALIBRATED, baseline=arm(80), candidate=arm(60), equal_errors="unverified"
        ),
        "held": True,
    }
    return judge_part(**(values | more))


def floor_part(outcome: Outcome = Outcome.FAIL, **more: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "name": "judge tone floor",
        "kind": "judge_floor",
        "estimate": None,
        "margin": None,
        "floor": 0.9,
        "candidate_rate": 0.62,
        "candidate_interval": (0.52, 0.72),
    }
    return judge_part(outcome, **(values | more))


def suite_verdict(*parts: PartVerdict, suite: str = "routing") -> SuiteVerdict:
    required = [part.outcome for part in parts if part.required]
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
    return SuiteVerdict(
        suite=suite,
        outcome=next((each for each in order if each in required), Outcome.PASS),
        parts=parts,
        unknown=0,
        planned=100,
        on_inconclusive="escalate",
    )


def verdict_of(*parts: PartVerdict) -> Verdict:
    suite = suite_verdict(*parts)
    code = {Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}.get(suite.outcome, 0)
    return Verdict(outcome=suite.outcome, exit_code=code, suites=(suite,), reasons=())


def call(state: JudgmentState = "judged", passed: bool | None = True, **more: Any) -> JudgeCall:
    values: dict[str, Any] = {
        "route": "judge",
        "state": state,
        "passed": passed if state == "judged" else None,
        "reason": "It blames the customer.",
        "evidence": "how often",
        "quoted": True,
        "model": "gpt-4.1",
        "model_id": "gpt-4.1-2025-04-14",
        "origin": "live",
        "usage": Usage(input_tokens=450, output_tokens=50),
        "cost_usd": 0.005,
        "billed_usd": 0.005,
        "latency_s": 0.8,
    }
    return JudgeCall(**(values | more))


def opinion(said: bool | JudgmentState, *calls: JudgeCall, **more: Any) -> Opinion:
    state: JudgmentState = "judged" if isinstance(said, bool) else said
    passed = said if isinstance(said, bool) else None
    return Opinion(state=state, passed=passed, calls=calls or (call(state, passed),), **more)


def judgment(place: Place, said: Opinion, **more: Any) -> Judgment:
    suite, variant, case, trial = place
    values: dict[str, Any] = {
        "at": "2026-11-24T19:33:03+00:00",
        "suite": suite,
        "variant": variant,
        "case": case,
        "trial": trial,
        "scorer": "tone",
        "rubric": "tone@v1",
        "judge": "sha256:1",
        "subject": "0123456789abcdef",
        "opinion": said,
    }
    return Judgment(**(values | more))


def score(place: Place, said: bool | JudgmentState, **more: Any) -> Score:
    """What is kept of a judgment as a score."""
    suite, variant, case, trial = place
    scored: ScoreState = "scored" if isinstance(said, bool) or said == "judged" else said
    values: dict[str, Any] = {
        "suite": suite,
        "variant": variant,
        "case": case,
        "trial": trial,
        "scorer": "tone",
        "kind": "judge",
        "state": scored,
        "passed": said if isinstance(said, bool) else None,
        "gate": False,
        "message": "" if said is True else "fail: it blames the customer",
    }
    return Score(**(values | more))


def setting(**more: Any) -> JudgeSetting:
    rubric = Rubric(
        name="tone",
        version=1,
        digest="sha256:2",
        path="rubrics/tone/v1.yaml",
        scale=RubricScale(kind="binary", passes="Polite.", fails="Not polite."),
        criteria=("The reply is polite.",),
        routes=("judge",),
    )
    values: dict[str, Any] = {
        "scorer": "tone",
        "rubric": rubric,
        "judge": "sha256:1",
        "asked": ASKED,
        "standing": FIT,
        "margin_pp": 5.0,
    }
    return JudgeSetting(**(values | more))


def judged_run(
    make_run: MakeRun,
    said: Verdicts,
    *parts: PartVerdict,
    judges: Sequence[JudgeSetting] | None = None,
    judging: JudgingTotals | None = JUDGING,
    **spec: Any,
) -> tuple[StoredRun, Passes]:
    """A run whose cases pass everywhere; `said` is what the judge says of either side of each."""
    results = dict.fromkeys(said, ((True,), (True,)))
    found = (setting(),) if judges is None else tuple(judges)
    run, passes = make_run(results, snapshot={"judges": found}, **spec)
    places = [attempt.place for attempt in run.attempts]
    verdicts = {place: said[place[2]][place[1] == "candidate"] for place in places}
    verdict = verdict_of(*parts) if parts else None
    record = replace(
        run.record,
        verdict=verdict,
        exit_code=run.record.exit_code if verdict is None else verdict.exit_code,
        billed_usd=0.03,
        suites=tuple(replace(suite, judging=judging) for suite in run.record.suites),
    )
    return replace(
        run,
        record=record,
        scores=(*run.scores, *(score(*each) for each in verdicts.items())),
        judgments=tuple(
            judgment(place, opinion(each), shared=place[1] == "candidate" and each is True)
            for place, each in verdicts.items()
        ),
    ), passes
