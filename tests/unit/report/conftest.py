"""Builders of stored runs from what each side did on each case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from evalkit.gate import (
    CaseResult,
    GateSettings,
    TrialResult,
    decide_suite,
    decide_verdict,
)
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.call import Origin, Usage
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.run import (
    GitState,
    RunRecord,
    RunState,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.records.score import Score

Results = tuple[bool | None, ...]
Place = tuple[str, str, str, int]
Passes = dict[Place, bool | None]
MakeRun = Callable[..., tuple[StoredRun, Passes]]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A run of one suite. `results` maps a case to both sides' results, one a trial."""

    results: Mapping[str, tuple[Results, Results]]
    suite: str = "routing"
    id: str = "20261124T193301Z-3f2a"
    has_baseline: bool = True
    origin: Origin = "recording"
    outputs: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    cases: Mapping[str, Case] = field(default_factory=dict)
    settings: GateSettings | None = None
    state: RunState = "complete"
    gates: bool = True
    exit_code: int | None = None
    attempts: Mapping[Place, Mapping[str, Any]] = field(default_factory=dict)
    scores: tuple[Score, ...] | None = None
    record: Mapping[str, Any] = field(default_factory=dict)
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    missing: frozenset[Place] = frozenset()


class Builder:
    """Turns a spec into attempts, scores, passes, a snapshot and a record."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.trials = {
            variant: max((len(sides[index]) for sides in spec.results.values()), default=1)
            for index, variant in enumerate(("baseline", "candidate"))
        }

    def build(self) -> tuple[StoredRun, Passes]:
        spec = self.spec
        attempts = [self.attempt(place, passed) for place, passed in self.places()]
        attempts = [each for each in attempts if each.place not in spec.missing]
        scores = spec.scores
        if scores is None:
            scores = tuple(
                self.score(place, passed)
                for place, passed in self.places()
                if passed is not None and place not in spec.missing
            )
        stored = StoredRun(
            path=f".evalkit/runs/{spec.id}",
            record=self.record(),
            snapshots=(self.snapshot(),),
            attempts=tuple(attempts),
            scores=scores,
        )
        passes = {p: passed for p, passed in self.places() if p not in spec.missing}
        return stored, passes

    def places(self) -> list[tuple[Place, bool | None]]:
        variants = ("baseline", "candidate") if self.spec.has_baseline else ("candidate",)
        return [
            ((self.spec.suite, variant, case, trial), passed)
            for case, sides in self.spec.results.items()
            for variant in variants
            for trial, passed in enumerate(sides[variant == "candidate"], start=1)
        ]

    def attempt(self, place: Place, passed: bool | None) -> Attempt:
        suite, variant, case, trial = place
        common: dict[str, Any] = {
            "at": "2026-11-24T19:33:02+00:00",
            "variant": variant,
            "suite": suite,
            "case": case,
            "trial": trial,
            "key": f"sha256:{case}",
            "prompt": f"{suite}@v{1 if variant == 'baseline' else 2}",
            "route": suite,
            "model": "tiny",
            "planned_model": "tiny",
        }
        if passed is None:
            common |= {
                "state": "error",
                "failure_mode": FailureMode.TIMEOUT,
                "error": "no reply within 60 s",
            }
        else:
            outputs = self.spec.outputs.get(case, ("payment", "payment" if passed else "wish"))
            common |= {
                "state": "answered",
                "origin": self.spec.origin,
                "output": outputs[variant == "candidate"],
                "usage": Usage(
                    input_tokens=1_000 if variant == "baseline" else 400, output_tokens=4
                ),
                "cost_usd": 0.001004 if variant == "baseline" else 0.000404,
                "latency_s": 0.25 if self.spec.origin == "live" else None,
            }
        return Attempt(**{**common, **self.spec.attempts.get(place, {})})

    def score(self, place: Place, passed: bool) -> Score:
        suite, variant, case, trial = place
        return Score(
            suite=suite,
            variant=variant,
            case=case,
            trial=trial,
            scorer="exact",
            kind="exact",
            state="scored",
            passed=passed,
            gate=True,
            message="" if passed else 'expected "payment", found "wish"',
        )

    def case(self, case: str) -> Case:
        default = Case(
            id=case,
            input={"ticket": f"Where is the invoice of {case}?"},
            expected={"output": "payment"},
        )
        return self.spec.cases.get(case, default)

    def snapshot(self) -> SuiteSnapshot:
        spec = self.spec
        values: dict[str, Any] = {
            "suite": spec.suite,
            "golden": f"{spec.suite}@v1",
            "golden_path": f"goldensets/{spec.suite}/v1/cases.jsonl",
            "cases": Cases.of(
                map(self.case, spec.results),
                {case: number for number, case in enumerate(spec.results, start=1)},
            ),
            "scorers": ({"exact": {}},),
            "gate": {"max_drop_pp": 3},
            "has_baseline": spec.has_baseline,
            "trials": self.trials["candidate"],
            "baseline_trials": self.trials["baseline"],
            "owner": "ml-platform",
        }
        return SuiteSnapshot(**{**values, **spec.snapshot})

    def record(self) -> RunRecord:
        spec, snapshot = self.spec, self.snapshot()
        verdict = None
        if spec.gates and spec.state == "complete":
            settings = spec.settings or GateSettings(
                max_drop_pp=3 if spec.has_baseline else None,
                min_pass_rate=None if spec.has_baseline else 0.5,
                has_baseline=spec.has_baseline,
            )
            verdict = decide_verdict([decide_suite(spec.suite, self.gate_cases(), settings)])
        code = spec.exit_code
        if code is None:
            code = 3 if verdict is None else verdict.exit_code
        values: dict[str, Any] = {
            "schema": "evalkit.run/1",
            "id": spec.id,
            "evalkit": "0.1.0",
            "state": spec.state,
            "started_at": "2026-11-24T19:33:01+00:00",
            "finished_at": "2026-11-24T19:33:04+00:00",
            "duration_s": 3.2,
            "command": ("run", spec.suite),
            "suites": (self.suite_record(snapshot),),
            "verdict": verdict,
            "exit_code": code,
            "gates": spec.gates,
            "why": () if verdict is None else verdict.reasons,
            "budget_usd": 5.0,
            "git": GitState(sha="3f2a1c9d5e6f708192a3b4c5d6e7f80912345678", branch="fewer-shots"),
        }
        return RunRecord(**{**values, **spec.record})

    def suite_record(self, snapshot: SuiteSnapshot) -> SuiteRecord:
        variants = ("baseline", "candidate") if self.spec.has_baseline else ("candidate",)
        return SuiteRecord(
            suite=self.spec.suite,
            golden=snapshot.golden,
            golden_digest="sha256:1",
            scorers=snapshot.scorers,
            scorers_digest="sha256:2",
            gate=snapshot.gate,
            variants=tuple(
                VariantRecord(
                    variant=variant,
                    source="working tree",
                    prompt=f"{self.spec.suite}@v{1 if variant == 'baseline' else 2}",
                    route=self.spec.suite,
                    models={"tiny": "tiny-135m-q4"},
                    digests={},
                )
                for variant in variants
            ),
            totals=(),
            cases=len(snapshot.cases),
            trials=snapshot.trials,
            owner="ml-platform",
        )

    def gate_cases(self) -> list[CaseResult]:
        def arm(results: Results, variant: str, case: str) -> tuple[TrialResult, ...]:
            padded = results + (None,) * (self.trials[variant] - len(results))
            gone = {
                trial
                for suite, where, name, trial in self.spec.missing
                if (suite, where, name) == (self.spec.suite, variant, case)
            }
            return tuple(
                TrialResult(passed=None if trial in gone else passed)
                for trial, passed in enumerate(padded, start=1)
            )

        return [
            CaseResult(
                case=case,
                baseline=arm(before, "baseline", case) if self.spec.has_baseline else (),
                candidate=arm(after, "candidate", case),
                group=self.case(case).group,
                tags=self.case(case).tags,
            )
            for case, (before, after) in self.spec.results.items()
        ]


@pytest.fixture
def make_run() -> MakeRun:
    """`make_run(results, **spec)`: a stored run and whether each of its attempts passed."""

    def make(
        results: Mapping[str, tuple[Results, Results]], **spec: Any
    ) -> tuple[StoredRun, Passes]:
        return Builder(Spec(results=results, **spec)).build()

    return make


@pytest.fixture
def regressed() -> dict[str, tuple[Results, Results]]:
    """120 cases: 14 regressions, 2 fixes, 8 failing as before, the rest the same."""
    kinds = [((True,), (False,))] * 14 + [((False,), (True,))] * 2 + [((False,), (False,))] * 8
    kinds += [((True,), (True,))] * 96
    return {f"case-{number:03}": kind for number, kind in enumerate(kinds, start=1)}
