"""What judging took, told apart from what is tested."""

import math

from evalkit.records.run import JudgingTotals, RunRecord
from evalkit.report.figures import count, usd


def judging_words(judging: JudgingTotals) -> str:
    """What judging took: '366 judgments, 330 shared, 36 asked; 12,000 tokens, $0.02'."""
    told = f"{count(judging.judgments, 'judgment')}, {judging.shared:,} shared"
    fresh = judging.judgments - judging.shared
    tokens = judging.input_tokens + judging.output_tokens
    if not tokens and not judging.billed_usd:
        return f"{told}, {fresh:,} new; no tokens, $0"
    done = f"{fresh:,} asked"
    if judging.calls > fresh:
        done += f" in {count(judging.calls, 'call')}"
    price = usd(judging.cost_usd)
    if judging.cost_usd is None or not math.isclose(judging.billed_usd, judging.cost_usd):
        price += f"{' list price' if judging.cost_usd else ''}, {usd(judging.billed_usd)} billed"
    return f"{told}, {done}; {tokens:,} tokens, {price}"


def judges_share(record: RunRecord) -> str:
    """What of a run's spending judges took: ', $0.02 of it on judges'; empty without a judge."""
    totals = [suite.judging for suite in record.suites if suite.judging is not None]
    if not totals:
        return ""
    billed = sum(each.billed_usd for each in totals)
    return f", {usd(billed)} of it on judges" if billed else ", judges included"
