"""Stored runs with judged outputs, built in memory."""

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.records.attempt import Attempt
from evalkit.records.calibration import JudgeStanding
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.judgment import Judgment, Opinion
from evalkit.records.run import (
    JudgeSetting,
    RunRecord,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from tests.labelled import rubric

RUN = "20261124T193301Z-3f2a"
Verdicts = Mapping[str, Sequence[bool | None]]


def stored_run(
    outputs: Mapping[str, Sequence[str]],
    verdicts: Verdicts | None = None,
    *,
    judges: bool = True,
    compare: str = "output",
    **changes: Any,
) -> StoredRun:
    """A run of the suite `mail`: `outputs` of each arm by case; an empty one has no answer.

    `verdicts` are the judge's on them; None: it abstained.
    """
    cases = max(len(each) for each in outputs.values())
    setting = JudgeSetting(
        scorer="judge",
        rubric=rubric(compare=compare),
        judge="sha256:1",
        asked="a model",
        standing=JudgeStanding(standing="uncalibrated"),
    )
    return StoredRun(
        path="",
        record=_record(tuple(outputs), cases),
        snapshots=(
            SuiteSnapshot(
                suite="mail",
                golden="mail@v1",
                golden_path="goldensets/mail/v1",
                cases=Cases.of(Case(id=f"m{n:03}", input={"n": n}) for n in range(cases)),
                scorers=({"judge": {}},),
                gate={},
                has_baseline="baseline" in outputs,
                trials=1,
                judges=(setting,) if judges else (),
            ),
        ),
        attempts=tuple(
            attempt(variant, number, text)
            for variant, texts in outputs.items()
            for number, text in enumerate(texts)
        ),
        scores=(),
        judgments=tuple(
            _judgment(variant, number, passed)
            for variant, said in (verdicts or {}).items()
            for number, passed in enumerate(said)
        ),
        **changes,
    )


def attempt(variant: str, number: int, text: str, **changes: Any) -> Attempt:
    """An attempt at a case by its number."""
    return Attempt(
        **{
            "at": "2026-11-24T19:33:02+00:00",
            "variant": variant,
            "suite": "mail",
            "case": f"m{number:03}",
            "trial": 1,
            "key": "k",
            "state": "answered" if text else "error",
            "output": text or None,
            "model": "tiny",
            **changes,
        }
    )


def _judgment(variant: str, number: int, passed: bool | None) -> Judgment:
    state = "abstained" if passed is None else "judged"
    return Judgment(
        at="2026-11-24T19:33:03+00:00",
        suite="mail",
        variant=variant,  # type: ignore[arg-type]
        case=f"m{number:03}",
        trial=1,
        scorer="judge",
        rubric="tone@v1",
        judge="sha256:1",
        subject="",
        opinion=Opinion(state=state, passed=passed),  # type: ignore[arg-type]
    )


def _record(variants: Sequence[str], cases: int) -> RunRecord:
    return RunRecord(
        schema="evalkit.run/1",
        id=RUN,
        evalkit="0.1.0",
        state="complete",
        started_at="",
        finished_at="",
        duration_s=0.0,
        command=("evalkit", "run"),
        suites=(
            SuiteRecord(
                suite="mail",
                golden="mail@v1",
                golden_digest="sha256:0",
                scorers=({"judge": {}},),
                scorers_digest="sha256:0",
                gate={},
                variants=tuple(
                    VariantRecord(
                        variant=name,
                        source="",
                        prompt="",
                        route="",
                        models={},
                        digests={},
                        content=f"sha256:{name}",
                    )
                    for name in variants
                ),
                totals=(),
                cases=cases,
                trials=1,
            ),
        ),
        verdict=None,
        exit_code=0,
    )
