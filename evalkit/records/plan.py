"""A run before it runs: every attempt, counted and priced."""

from collections.abc import Sequence

import msgspec

from evalkit.records.attempt import Place
from evalkit.records.call import Origin


class PlannedAttempt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt to be made. Token counts are upper bounds; `max_cost_usd` covers both bounds.

    `expected_cost_usd` is the list price with half of the output cap. An attempt that a policy
    stops before any call has `refused` set, no origin and no cost; it is made and recorded all the
    same. `max_calls` is above 1 for an agent, whose bounds are of all its calls, and 0 for a
    program that makes its own: what those cost nobody knows before.
    """

    suite: str
    variant: str
    case: str
    trial: int
    model: str
    origin: Origin | None
    input_tokens: dict[str, int]
    output_tokens: int
    max_cost_usd: float | None
    expected_cost_usd: float | None = None
    missing: str | None = None
    refused: str | None = None
    max_calls: int = 1

    @property
    def place(self) -> Place:
        """The place that the attempt will have."""
        return self.suite, self.variant, self.case, self.trial


class PlannedJudging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the judges of a suite may take beside the attempts that they judge.

    `calls` are the questions if no two outputs are equal and none was judged before, at about
    `max_cost_usd` at most (None where a judge has no price).
    """

    calls: int
    max_cost_usd: float | None
    unpriced_models: tuple[str, ...] = ()


class PlannedSuite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One suite's share of a plan.

    `calls` are the ones that reach a provider, `replayed` those answered from the cache, a
    recording or a script, `refused` those that a policy stops before any call, `missing` those
    whose reply should be replayed and is not there: a run of them is refused. `origins` counts
    where replies come from, without the missing ones. `tokens` are upper bounds by part (`output`
    is the caps) over all of them, replayed ones too. Costs are what this run may spend: replays
    cost nothing. Expected tokens and cost use half the output cap.
    `detectable_drop` is a fraction: the smallest drop that this suite sees with 80 % power when
    `flip_share` of its cases flip by chance. A verdict that is open is looked at again, up to
    `max_trials` a case, at an expected list price of `escalation_usd` more; both are None for a
    suite that looks once. `judging` comes on top of all that; None without a judge. `calls` count
    attempts; an agent's may be several calls, `max_calls` at most. `programs` are attempts of a
    program of the project's, whose own calls and costs nobody knows before.
    `tokens_by_variant` are `tokens` of each variant. `listed_usd` is the expected list price of all
    attempts, replayed ones too, None without a price for one.
    """

    suite: str
    variants: tuple[str, ...]
    cases: int
    trials: int
    calls: int
    replayed: int
    tokens: dict[str, int]
    max_cost_usd: float | None
    expected_cost_usd: float | None
    origins: dict[str, int]
    refused: int = 0
    missing: int = 0
    expected_output_tokens: int = 0
    detectable_drop: float | None = None
    flip_share: float | None = None
    cases_to_pass: int | None = None
    unpriced_models: tuple[str, ...] = ()
    max_trials: int | None = None
    escalation_usd: float | None = None
    judging: PlannedJudging | None = None
    max_calls: int = 0
    programs: int = 0
    tokens_by_variant: dict[str, dict[str, int]] = {}
    listed_usd: float | None = None


class RunPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All attempts of a run in the order they are started, and the sums of each suite.

    `drill` is what a drill breaks, a sentence each; `model` of an attempt is then who would answer.
    """

    attempts: Sequence[PlannedAttempt]
    suites: tuple[PlannedSuite, ...]
    drill: tuple[str, ...] = ()
