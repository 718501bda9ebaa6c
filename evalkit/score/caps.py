"""What an attempt may take: steps, calls, retries, tokens, money, time."""

from evalkit.config.scorers import CapsScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.acts import acts_of, model_turns, repeated_after_failure
from evalkit.score.scorer import Judgement, Scorer, ScorerError


class Caps(Scorer[CapsScorer]):
    """No cap of the suite is passed. An attempt that does nothing keeps them all, so a case never
    passes by this scorer alone."""

    kind = "caps"
    vacuous = True

    def __init__(self, config: CapsScorer, *, label: str, gate: bool) -> None:
        """`config` has the caps."""
        super().__init__(label=label, gate=gate)
        self._config = config

    def expectation(self, case: Case) -> CapsScorer:
        """The suite's caps hold for every case."""
        return self._config

    def is_asked_by(self, case: Case) -> bool:
        """Never: the suite asks."""
        return False

    def judge(self, attempt: Attempt, expectation: CapsScorer) -> Judgement:
        """Compare what was taken. Raises ScorerError for a cost or time that nobody knows."""
        taken: dict[str, float] = {
            "steps": model_turns(attempt),
            "tool_calls": sum(act.kind == "tool" for act in acts_of(attempt)),
            "retries": repeated_after_failure(attempt),
            "tokens": attempt.usage.total,
        }
        if expectation.max_cost_usd is not None:
            taken["cost_usd"] = _known(attempt.cost_usd, "cost: its model has no price")
        if expectation.max_latency_s is not None:
            taken["latency_s"] = _known(attempt.latency_s, "latency: no model was called")
        over = [
            f"{name} {_plain(taken[name])}, at most {_plain(cap)}"
            for name, cap in expectation.caps.items()
            if taken[name] > cap
        ]
        shown = {name: float(taken[name]) for name in expectation.caps}
        if over:
            return Judgement(
                passed=False,
                message="; ".join(over),
                expected=dict(expectation.caps),
                found=shown,
                measures=shown,
            )
        within = ", ".join(f"{name} {_plain(taken[name])}" for name in expectation.caps)
        return Judgement(passed=True, message=f"within caps: {within}", measures=shown)


def _known(value: float | None, what: str) -> float:
    if value is None:
        raise ScorerError(f"the attempt has no {what}")
    return value


def _plain(value: float) -> str:
    return f"{value:g}"
