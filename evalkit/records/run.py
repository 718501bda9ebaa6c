"""A finished (or stopped) run: `run.json`, the first file a reader of a bundle opens.

Schema history: `evalkit.run/1` is the first.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from evalkit.records.asset import Rubric
from evalkit.records.attempt import Attempt, Place
from evalkit.records.calibration import Calibration, JudgeStanding
from evalkit.records.call import Decision
from evalkit.records.cases import Cases
from evalkit.records.judgment import Judgment
from evalkit.records.label import LabelledItem
from evalkit.records.prices import ListedPrices
from evalkit.records.score import Score
from evalkit.records.shard import MergedShard, PlanIdentity, Shard
from evalkit.records.span import Span
from evalkit.records.verdict import Look, PartVerdict, Quarantined, Verdict, Waiver

SCHEMA = "evalkit.run/1"
RunState = Literal["running", "complete", "incomplete", "interrupted"]


class VariantRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one variant of a suite was: `source` says where it came from, in words.

    `digests` maps every asset to the digest of its content; `models` the configured names to the
    ids that were called. `content` digests all that its results depend on (golden set, scorers,
    assets): runs with one content measure the same thing and are pooled. `pooled` counts, by run,
    the attempts that earlier runs of the same content lent.
    """

    variant: str
    source: str
    prompt: str
    route: str
    models: dict[str, str]
    digests: dict[str, str]
    origins: dict[str, int] = {}
    content: str = ""
    pooled: dict[str, int] = {}


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over the attempts of one variant of a suite, errors included.

    `passed` counts cases, with fractions where a case has several trials. `cost_usd` is None when
    any model has no price. Latencies are medians and 95th percentiles in seconds, None when nothing
    was measured live. `warned` counts, by rule, the attempts that a policy in its shadow mode would
    have stopped or changed.
    """

    variant: str
    cases: int
    attempts: int
    passed: float
    errors: int
    states: dict[str, int]
    failure_modes: dict[str, int]
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    billed_usd: float
    fallbacks: int
    guardrails: int
    latency_p50_s: float | None = None
    latency_p95_s: float | None = None
    warned: dict[str, int] = {}


class JudgingTotals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the judges of a suite did and cost, apart from what is tested.

    `judgments` are one a judge scorer and attempt, `shared` those that took over the opinion on an
    equal output, `calls` the questions asked of models (replays included). `cost_usd` is the list
    price, None where a judge has none; `billed_usd` is what this run was charged.
    """

    judgments: int
    shared: int
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    billed_usd: float


class SuiteRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One suite of a run: what was compared with what, under which gate.

    `trials` are those of the last whole look, `asked_trials` those of the first.
    """

    suite: str
    golden: str
    golden_digest: str
    scorers: tuple[dict[str, Any], ...]
    scorers_digest: str
    gate: dict[str, Any]
    variants: tuple[VariantRecord, ...]
    totals: tuple[Totals, ...]
    cases: int
    trials: int
    asked_trials: int | None = None
    owner: str | None = None
    fallback: str = "error"
    notes: tuple[str, ...] = ()
    judging: JudgingTotals | None = None

    def variant(self, name: str) -> VariantRecord | None:
        """The variant of that name, if the suite had it."""
        return next((v for v in self.variants if v.variant == name), None)

    def totals_of(self, name: str) -> Totals | None:
        """The sums of that variant, if the suite had it."""
        return next((t for t in self.totals if t.variant == name), None)


class GitState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the working tree stood. `main` tells that it was the default branch's, unchanged."""

    sha: str | None = None
    branch: str | None = None
    dirty: bool = False
    main: bool = False


class CallFailures(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls of one provider that failed alike: `failed` of them, of which `gave_up` were the last
    try there. `code` is one of FailureMode, `status` that of HTTP."""

    provider: str
    code: str
    status: int | None = None
    failed: int = 0
    gave_up: int = 0


class RunRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run. `verdict` is None for a run that never gates (`--regressed`) or did not finish.

    A run that was killed stays `running`; `stopped` says why one ended before every attempt was
    made. `changes` are the candidate's, `baseline` what the command line named, `request` what else
    a resumed run needs to plan the same attempts. `prices` are those that no model names.
    `shard` marks a part of a run, which decides nothing; `merged` are the shards that a run was
    merged from, and `plan` tells what such runs have in common.
    `failures` are what live calls met, those of judges and of tries that came to a good end too;
    of a run that was killed those of its later parts.
    """

    schema: Literal["evalkit.run/1"]
    id: str
    evalkit: str
    state: RunState
    started_at: str
    finished_at: str
    duration_s: float
    command: tuple[str, ...]
    suites: tuple[SuiteRecord, ...]
    verdict: Verdict | None
    exit_code: int
    git: GitState = GitState()
    gates: bool = True
    stopped: str | None = None
    why: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    billed_usd: float = 0.0
    budget_usd: float | None = None
    concurrency: int = 1
    changes: dict[str, Any] = {}
    baseline: str | None = None
    request: dict[str, Any] = {}
    prices: ListedPrices | None = None
    shard: Shard | None = None
    plan: PlanIdentity | None = None
    merged: tuple[MergedShard, ...] = ()
    failures: tuple[CallFailures, ...] = ()

    @property
    def drill(self) -> bool:
        """Whether providers were broken on purpose (`--fault`)."""
        return bool(self.request.get("faults"))

    @property
    def replay(self) -> bool:
        """Whether its cases are sessions of production (`evalkit replay`)."""
        return bool(self.request.get("traces"))

    @property
    def how_to_complete(self) -> str:
        """What to do about a run that is not complete, as it follows a semicolon."""
        if self.merged:
            shards = " ".join(each.run for each in self.merged[:3])
            more = " …" if len(self.merged) > 3 else ""
            return (
                f"resume those of its shards that are not whole, and merge them again: evalkit "
                f"merge {shards}{more}"
            )
        return f"resume it: evalkit run --resume {self.id}"

    @property
    def why_ungated(self) -> str:
        """Why it does not gate, as it follows the run's name."""
        if self.drill:
            return "was a drill with broken providers"
        if self.shard is not None:
            return f"is {self.shard}, without the others"
        return "ran selected cases only"


class Flake(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case that passed some of an unchanged baseline's runs and failed others."""

    case: str
    runs: int
    passes: int


class JudgeSetting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A judge scorer of a suite as a run uses it; `scorer` is its label.

    `judge` digests who judges and how, `asked` says it in words. `margin_pp` and `floor` are what
    is required where `gate` says so. `same_arms` tells that baseline and candidate are the same
    content. `calibration` is what the rubric's folder held when the run was made, without verdicts.
    """

    scorer: str
    rubric: Rubric
    judge: str
    asked: str
    standing: JudgeStanding
    gate: bool = True
    margin_pp: float | None = None
    floor: float | None = None
    assume_equal_errors: bool = False
    same_arms: bool = False
    spot_checks: int = 0
    calibration: Calibration | None = None


class SuiteSnapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a suite is scored and decided with, as stored in a bundle: `assets/<suite>.json`.

    `cases` are redacted as their attempts are, with their lines in `golden_path`; they stand in a
    file of their own, `assets/<suite>.cases.jsonl`. `scorers` and `gate` are the suite's
    configuration as plain data, `schemas` the files that scorers name. `guards` were decided when
    the run was made: they depend on the baseline ref, which a bundle does not hold.
    `baseline_trials` differ from `trials` where a stored run is the baseline. `repeatable` tells
    that a further trial would have been a new measurement.
    `looks` are what an escalating gate may take, empty for one that looks once; `trials` is then
    how many were made whole. `anchor` names the fixed point, if there is one.
    `flaky` comes from history, `today` is the day that waivers and quarantines are held against.
    `texts` are the redacted assets of each variant by their name in its digests, for a diff.
    """

    suite: str
    golden: str
    golden_path: str
    cases: Cases
    scorers: tuple[dict[str, Any], ...]
    gate: dict[str, Any]
    has_baseline: bool
    trials: int
    baseline_trials: int | None = None
    schemas: dict[str, Any] = {}
    fallback: str = "error"
    owner: str | None = None
    guards: tuple[PartVerdict, ...] = ()
    repeatable: bool = False
    looks: tuple[Look, ...] = ()
    anchor: str | None = None
    anchor_trials: int | None = None
    quarantined: tuple[Quarantined, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    flaky: tuple[Flake, ...] = ()
    today: str = ""
    texts: dict[str, dict[str, str]] = {}
    judges: tuple[JudgeSetting, ...] = ()


class TraceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of `traces.jsonl`: every decision of one attempt's session, and what it did.

    Bundles of an older evalkit have no `spans`.
    """

    suite: str
    variant: str
    case: str
    trial: int
    decisions: tuple[Decision, ...]
    spans: tuple[Span, ...] = ()

    @property
    def place(self) -> Place:
        """The place of its attempt."""
        return self.suite, self.variant, self.case, self.trial


Made = TypeVar("Made")


class StoredRun(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A whole bundle: one attempt a place (the last one journalled) and its scores.

    Those of a large run are read from their files whenever they are gone over, so that going over
    them seldom is what keeps a command fast, and not holding on to them what keeps it small.

    `labels` were given to this run's outputs after it (`evalkit judge label --run`).
    """

    path: str
    record: RunRecord
    snapshots: tuple[SuiteSnapshot, ...]
    attempts: Sequence[Attempt]
    scores: Sequence[Score]
    judgments: Sequence[Judgment] = ()
    labels: tuple[LabelledItem, ...] = ()

    def once(self, make: "Callable[[StoredRun], Made]") -> Made:
        """What `make`, a function of a module, makes of the run: worked out once and held as long
        as this very object. A copy with other fields knows nothing of it."""
        known: dict[Any, Made] = self.__dict__
        if make not in known:
            known[make] = make(self)
        return known[make]

    def keep(self, make: "Callable[[StoredRun], Made]", made: Made) -> None:
        """Say what `make` would make of the run, where that is known already."""
        known: dict[Any, Made] = self.__dict__
        known[make] = made

    @property
    def made(self) -> int:
        """How many attempts this run made, without those that it took from earlier runs."""
        return sum(attempt.pooled_from is None for attempt in self.attempts)

    def snapshot(self, suite: str) -> SuiteSnapshot | None:
        """The snapshot of that suite."""
        return next((each for each in self.snapshots if each.suite == suite), None)
