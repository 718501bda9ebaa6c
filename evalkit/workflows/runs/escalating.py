"""More trials where a verdict is open: the looks of a gate that escalates, inside the budget.

After each whole look the suites that more trials can settle get the trials of their next look, all
of their cases in all arms. What cannot be afforded or was cut short is not looked at: the verdict
is then that of the last whole look.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from evalkit.execute.workers import ExecutionEnd
from evalkit.gate.looks import more_trials_help
from evalkit.ports import EventSink
from evalkit.records.event import RunEscalating
from evalkit.records.plan import PlannedAttempt, RunPlan
from evalkit.records.run import SuiteSnapshot
from evalkit.workflows.deciding import decide_snapshot
from evalkit.workflows.runs.plan_checks import check_replies
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.runs.results import RunResults

Execute = Callable[[Sequence[PlannedAttempt]], Awaitable[ExecutionEnd]]


class Escalated(msgspec.Struct):
    """Where escalation ended: the snapshots with the trials that were made whole.

    `end` is how making attempts ended, whole where escalation only ran out of budget; `notes` say
    by suite why there was no further look.
    """

    snapshots: tuple[SuiteSnapshot, ...]
    end: ExecutionEnd
    notes: dict[str, str] = msgspec.field(default_factory=dict)


async def escalate(
    prepared: PreparedRun,
    first: ExecutionEnd,
    *,
    results: RunResults,
    execute: Execute,
    emit: EventSink,
) -> Escalated:
    """Look again for as long as that can settle a suite. `first` is how the first look's attempts
    ended; `results` is what is known so far, `execute` makes further attempts."""
    state = Escalated(prepared.snapshots, first)
    while state.end.reason is None:
        further = _open_suites(state.snapshots, results)
        if not further:
            break
        plan = await prepared.plan_trials(further)
        check_replies(plan.attempts)
        lacking = _unaffordable(prepared, plan, results)
        if lacking is not None:
            _stop(state, further, lacking)
            break
        emit(RunEscalating(suites=tuple(further), trials=max(last for _, last in further.values())))
        end = await execute(plan.attempts)
        if end.reason == "interrupted":
            state.end = end
        elif end.reason is not None:
            _stop(state, further, f"it stopped: {end.message}")
            break
        else:
            state.snapshots = tuple(
                msgspec.structs.replace(each, trials=further[each.suite][1])
                if each.suite in further
                else each
                for each in state.snapshots
            )
            state.end = ExecutionEnd(reason=None, made=state.end.made + end.made, left=0)
    return state


def _open_suites(
    snapshots: Sequence[SuiteSnapshot], results: RunResults
) -> dict[str, tuple[int, int]]:
    """The suites that a further look may settle, each with the first and last trial to make."""
    escalating = [
        each for each in snapshots if any(look.trials > each.trials for look in each.looks)
    ]
    if not escalating:
        return {}
    table = results.table(snapshots)
    return {
        each.suite: (each.trials + 1, _next_trials(each))
        for each in escalating
        if more_trials_help(decide_snapshot(each, table), each.looks)
    }


def _unaffordable(prepared: PreparedRun, plan: RunPlan, results: RunResults) -> str | None:
    """Why a budget would cut the trials short, as far as can be told; None if they fit.

    A call is taken to use what the calls of this run used on average, or, before there was any,
    what planning expects.
    """
    ledger = prepared.ledger
    calls = sum(suite.calls for suite in plan.suites)
    made = sum(attempt.origin == "live" for attempt in results.attempts)
    if ledger.max_usd is not None:
        left = max(0.0, ledger.max_usd - ledger.spent_usd)
        usd = ledger.spent_usd / made * calls if made else _expected_usd(plan)
        if usd > left:
            return f"it would cost about ${usd:.4g}, and ${left:.4g} of the budget is left"
    if ledger.max_tokens is not None:
        left_tokens = max(0, ledger.max_tokens - ledger.spent_tokens)
        tokens = round(ledger.spent_tokens / made * calls) if made else _expected_tokens(plan)
        if tokens > left_tokens:
            return f"it would take about {tokens:,} tokens, and {left_tokens:,} are left"
    return None


def _expected_usd(plan: RunPlan) -> float:
    return sum(suite.expected_cost_usd or 0.0 for suite in plan.suites)


def _expected_tokens(plan: RunPlan) -> int:
    return sum(
        sum(suite.tokens.values()) - suite.expected_output_tokens
        for suite in plan.suites
        if suite.calls
    )


def _stop(state: Escalated, suites: Iterable[str], why: str) -> None:
    for suite in suites:
        state.notes[suite] = f"no further look: {why}"


def _next_trials(snapshot: SuiteSnapshot) -> int:
    return min(look.trials for look in snapshot.looks if look.trials > snapshot.trials)
