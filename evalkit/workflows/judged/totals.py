"""What judging took, apart from what is tested."""

from collections.abc import Iterable

from evalkit.records.judgment import Judgment
from evalkit.records.run import JudgingTotals, SuiteSnapshot


def judging_totals(snapshot: SuiteSnapshot, judgments: Iterable[Judgment]) -> JudgingTotals | None:
    """The sums of a suite's judges; None for a suite without one."""
    if not snapshot.judges:
        return None
    mine = [each for each in judgments if each.suite == snapshot.suite]
    # an opinion that was taken over was asked for, and paid, where it was made
    calls = [call for each in mine if not each.shared for call in each.opinion.calls]
    # what got no reply cost nothing
    costs = [call.cost_usd for call in calls if call.model or call.state != "error"]
    return JudgingTotals(
        judgments=len(mine),
        shared=sum(each.shared for each in mine),
        calls=len(calls),
        input_tokens=sum(call.usage.input_tokens for call in calls),
        output_tokens=sum(call.usage.output_tokens for call in calls),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
        billed_usd=sum(call.billed_usd for call in calls),
    )
