"""What policies in their shadow mode would have done, in a sentence for each."""

from evalkit.records.run import SuiteRecord
from evalkit.report.figures import count


def shadow_notes(record: SuiteRecord | None) -> tuple[str, ...]:
    """A note for each policy that stopped nothing and would have, in any variant of a suite."""
    totals = () if record is None else record.totals
    rules = dict.fromkeys(rule for each in totals for rule in each.warned)
    return tuple(
        f"{rule} is in its shadow mode and would have acted on "
        + ", ".join(
            f"{each.warned.get(rule, 0):,} of {count(each.attempts, 'attempt')} of the "
            f"{each.variant}"
            for each in totals
        )
        for rule in rules
    )
