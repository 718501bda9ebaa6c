"""A large run made up for the report; what its gate says is the gate's own."""

import random
from collections.abc import Mapping
from typing import Any

from evalkit.gate import (
    CaseResult,
    GateSettings,
    MetricSettings,
    SliceSettings,
    TrialResult,
    add_parts,
    decide_suite,
    decide_verdict,
)
from evalkit.records.attempt import Attempt, FailureMode, Place, VariantName
from evalkit.records.call import Decision, ToolCall, Usage
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.comparison import Comparison
from evalkit.records.run import (
    Flake,
    GitState,
    RunRecord,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.records.score import Score
from evalkit.records.verdict import (
    Estimate,
    Look,
    Outcome,
    PartVerdict,
    Quarantined,
    SuiteVerdict,
    Waiver,
)
from evalkit.report.comparison import compare_run

SUITE = "support"
_TAGS = (
    "billing",
    "refund",
    "delivery",
    "password",
    "angry",
    "typo",
    "long",
    "short",
    "pii",
    "late",
)
_TEXT = (
    "the order was shipped to an old address and nobody answered when we called about the invoice "
    "which shows a refund that never arrived while the parcel is still with the courier"
)
_WORDS = _TEXT.split()
_METRICS = {
    "cost_usd_per_resolved": MetricSettings(max_increase_pct=10),
    "tokens_per_success": MetricSettings(max_increase_pct=10),
    "latency_s": MetricSettings(max_increase_pct=20, required=False),
    "guardrail_rate": MetricSettings(max_increase_pp=2),
}
_WAIVER = Waiver(
    id="w-2026-11-01",
    suite=SUITE,
    part="metric:tokens_per_success",
    reason="the longer prompt is wanted; the next one is shorter",
    accepted_by="ana",
    on="2026-11-01",
    until="2026-12-31",
    up_to=40.0,
)


class SyntheticRun:
    """A run of one suite: `trials` trials a case in both arms, with a twentieth of cases worse."""

    def __init__(self, cases: int, *, trials: int = 1, seed: int = 7) -> None:
        """The same numbers give the same run."""
        self._random = random.Random(seed)
        self.trials = trials
        self.cases = [self._case(number) for number in range(cases)]
        self.attempts: list[Attempt] = []
        self.scores: list[Score] = []
        self.passes: dict[Place, bool | None] = {}
        self.traces: dict[Place, tuple[Decision, ...]] = {}
        for case in self.cases:
            self._attempt_case(case)

    @property
    def stored(self) -> StoredRun:
        """The run as a bundle holds it."""
        snapshot, verdict = self._snapshot(), decide_verdict([self._verdict()])
        variants = tuple(self._variant(name) for name in ("baseline", "candidate"))
        return StoredRun(
            path=".evalkit/runs/20261124T193301Z-3f2a",
            record=RunRecord(
                schema="evalkit.run/1",
                id="20261124T193301Z-3f2a",
                evalkit="0.1.0",
                state="complete",
                started_at="2026-11-24T19:33:01+00:00",
                finished_at="2026-11-24T19:41:12+00:00",
                duration_s=491.0,
                command=("run", SUITE),
                suites=(
                    SuiteRecord(
                        suite=SUITE,
                        golden=snapshot.golden,
                        golden_digest="sha256:" + "1f" * 32,
                        scorers=snapshot.scorers,
                        scorers_digest="sha256:" + "2e" * 32,
                        gate=snapshot.gate,
                        variants=variants,
                        totals=(),
                        cases=len(self.cases),
                        trials=self.trials,
                        owner="support-platform",
                    ),
                ),
                verdict=verdict,
                exit_code=verdict.exit_code,
                why=verdict.reasons,
                warnings=("the price of model mini is from 2026-06-01",),
                billed_usd=3.18,
                budget_usd=5.0,
                git=GitState(sha="3f2a1c9d5e6f7081", branch="shorter-answers", dirty=True),
            ),
            snapshots=(snapshot,),
            attempts=tuple(self.attempts),
            scores=tuple(self.scores),
        )

    def compared(self, run: StoredRun) -> Comparison:
        """Its baseline against its candidate."""
        return compare_run(run, self.passes)

    def _case(self, number: int) -> Case:
        text = " ".join(self._random.choices(_WORDS, k=self._random.randint(12, 60)))
        return Case(
            id=f"case-{number:05}",
            input={"subject": f"Ticket {number}", "body": text},
            expected={"intent": _TAGS[number % 5], "priority": f"p{number % 4}"},
            tags=tuple(self._random.sample(_TAGS, 2)),
            group=f"thread-{number // 2}" if number % 10 < 2 else None,
        )

    def _attempt_case(self, case: Case) -> None:
        passes_before = self._random.random() < 0.88
        worse, better = self._random.random() < 0.06, self._random.random() < 0.1
        for trial in range(1, self.trials + 1):
            noise = self._random.random() < 0.04
            before = passes_before ^ noise
            after: bool | None = (before and not worse) or (not before and better)
            if self._random.random() < 0.004:
                after = None
            self._attempt(case, "baseline", trial, before)
            self._attempt(case, "candidate", trial, after)

    def _attempt(self, case: Case, variant: VariantName, trial: int, passed: bool | None) -> None:
        long = variant == "candidate"
        place: Place = (SUITE, variant, case.id, trial)
        parsed = {
            "intent": case.expected["intent"] if passed else "other",
            "priority": case.expected["priority"],
            "reply": " ".join(self._random.choices(_WORDS, k=40 if long else 30)) + ".",
        }
        known = passed is not None
        tokens = int(self._random.lognormvariate(6.5 if long else 6.4, 0.35))
        attempt = Attempt(
            at="2026-11-24T19:33:02+00:00",
            variant=variant,
            suite=SUITE,
            case=case.id,
            trial=trial,
            key="k",
            state="answered" if known else "error",
            failure_mode=None if known else FailureMode.TIMEOUT,
            error=None if known else "no reply within 60 s",
            origin="live" if known else None,
            output=str(parsed) if known else None,
            parsed=parsed if known else None,
            tool_calls=(ToolCall(name="draft_reply", arguments={"language": "en"}),)
            if known
            else (),
            allowed_tools=("draft_reply",),
            prompt=f"{SUITE}@v{2 if long else 1}",
            route=SUITE,
            model="mini",
            planned_model="mini",
            model_id="mini-2026-04-14",
            usage=Usage(input_tokens=tokens, output_tokens=tokens // 8),
            cost_usd=tokens * 9e-7 if known else None,
            billed_usd=tokens * 9e-7 if known else 0.0,
            latency_s=self._random.lognormvariate(-0.2, 0.5) if known else None,
            tries=1,
            finish_reason="stop",
            measured_at="2026-11-24T19:33:02+00:00",
        )
        self.attempts.append(attempt)
        self.passes[place] = passed
        self.traces[place] = _decisions()
        for scorer in ("exact", "tool_calls") if known else ():
            fine = bool(passed) or scorer != "exact"
            message = "" if fine else f'intent: expected "{case.expected["intent"]}", found "other"'
            self.scores.append(
                Score(
                    suite=SUITE,
                    variant=variant,
                    case=case.id,
                    trial=trial,
                    scorer=scorer,
                    kind=scorer,
                    state="scored",
                    passed=fine,
                    gate=True,
                    message=message,
                )
            )

    def _variant(self, name: str) -> VariantRecord:
        version = 2 if name == "candidate" else 1
        return VariantRecord(
            variant=name,
            source="working tree",
            prompt=f"{SUITE}@v{version}",
            route=SUITE,
            models={"mini": "mini-2026-04-14"},
            digests={
                f"prompts/{SUITE}/v{version}.yaml": f"sha256:{version}",
                f"routes.{SUITE}": f"sha256:route{version}",
                "models.mini": "sha256:model",
            },
        )

    def _snapshot(self) -> SuiteSnapshot:
        return SuiteSnapshot(
            suite=SUITE,
            golden=f"{SUITE}@v1",
            golden_path=f"goldensets/{SUITE}/v1/cases.jsonl",
            cases=Cases.of(
                self.cases, {case.id: number for number, case in enumerate(self.cases, start=1)}
            ),
            scorers=({"exact": {"fields": ["intent", "priority"]}}, {"tool_calls": {}}),
            gate={"max_drop_pp": 3},
            has_baseline=True,
            trials=self.trials,
            owner="support-platform",
            waivers=(_WAIVER,),
            flaky=tuple(Flake(case=case.id, runs=9, passes=5) for case in self.cases[3:5]),
            today="2026-11-24",
            texts={name: self._texts(name) for name in ("baseline", "candidate")},
        )

    @staticmethod
    def _texts(name: str) -> dict[str, str]:
        new = name == "candidate"
        prompt = "\n".join(
            (
                f"name: {SUITE}",
                f"version: {2 if new else 1}",
                "messages:",
                "  - role: system",
                "    content: |",
                "      You file letters to a shop.",
                f"      Answer {'in one short sentence' if new else 'politely and in full'}.",
                "      Name the intent and the priority.",
                *(("      Never promise a refund.",) if new else ()),
                "params: {temperature: 0}",
            )
        )
        route = f"max_tokens: {900 if new else 1200}\nmodels:\n  primary: mini\n"
        version = 2 if new else 1
        return {f"prompts/{SUITE}/v{version}.yaml": prompt, f"routes.{SUITE}": route}

    def _verdict(self) -> SuiteVerdict:
        settings = GateSettings(
            max_drop_pp=3,
            min_pass_rate=0.75,
            slices={tag: SliceSettings(max_drop_pp=10) for tag in _TAGS[:4]},
            metrics=_METRICS,
            invariants=("forbidden_tools",),
            owner="support-platform",
            max_error_share="0.05",
        )
        by_place = {attempt.place: attempt for attempt in self.attempts}

        def arm(case: Case, variant: str) -> tuple[TrialResult, ...]:
            return tuple(
                self._result(by_place[SUITE, variant, case.id, trial])
                for trial in range(1, self.trials + 1)
            )

        results = [
            CaseResult(
                case=case.id,
                candidate=arm(case, "candidate"),
                baseline=arm(case, "baseline"),
                group=case.group,
                tags=case.tags,
            )
            for case in self.cases
        ]
        verdict = add_parts(decide_suite(SUITE, results, settings), [_GUARD, _ANCHOR])
        parts = tuple(
            part.revised(waiver=_WAIVER) if part.name == _WAIVER.part else part
            for part in verdict.parts
        )
        quarantined = Quarantined(
            case="case-00007", until="2026-12-01", reason="the clock of the tool"
        )
        looks = (
            Look(trials=1, alpha=0.01, outcome=Outcome.INCONCLUSIVE),
            Look(trials=2, alpha=0.015, outcome=verdict.outcome),
        )
        return verdict.revised(parts=parts, quarantined=(quarantined,), looks=looks)

    def _result(self, attempt: Attempt) -> TrialResult:
        known = attempt.has_result
        return TrialResult(
            passed=self.passes[attempt.place],
            cost_usd=attempt.cost_usd,
            tokens=float(attempt.usage.total) if known else None,
            latency_s=attempt.latency_s,
            guardrail=False if known else None,
        )


_GUARD = PartVerdict(
    name="guard",
    kind="guard",
    outcome=Outcome.INCONCLUSIVE,
    best=Outcome.INCONCLUSIVE,
    worst=Outcome.INCONCLUSIVE,
    required=True,
    held=True,
    message="suites.support.gate.max_drop_pp was 2 at main and is 3 here.",
    what_would_settle="A reviewer who accepts it: --accept-gate-change.",
)
_ANCHOR = PartVerdict(
    name="anchor drop",
    kind="anchor",
    outcome=Outcome.PASS,
    best=Outcome.PASS,
    worst=Outcome.PASS,
    required=True,
    message="The pass rate fell 2.1 pp since v1.0, and a drop of 8 pp is ruled out.",
    estimate=Estimate(drop=0.021, lower=0.003, upper=0.042),
    margin=0.08,
    alpha=0.05,
)


def _decisions() -> tuple[Decision, ...]:
    def decide(act: Any, outcome: Any, rule: str, message: str, ms: int) -> Decision:
        at = f"2026-11-24T19:33:02.{ms:03}+00:00"
        data: Mapping[str, Any] = {"model": "mini"} if act == "route" else {}
        return Decision(
            act=act, outcome=outcome, rule=rule, message=message, at=at, data=dict(data)
        )

    return (
        decide("route", "allowed", "models.primary", "mini is asked", 1),
        decide("redact", "changed", "policies.pii_redaction", "in the request: 1 EMAIL", 2),
        decide("complete", "answered", "live", "mini: live reply", 840),
        decide("authorize", "allowed", "policies.disallow_actions", "draft_reply is allowed", 843),
    )
