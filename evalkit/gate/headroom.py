"""A drop that could not have happened.

Where both arms pass less often than the margin is wide, nothing could drop by it: a suite whose
scorers or expectations are broken, so that everything fails alike, would pass.
"""

from evalkit.gate.wording import percent, points
from evalkit.records.verdict import Outcome, PartVerdict


def check_headroom(drop: PartVerdict) -> PartVerdict | None:
    """The held, inconclusive part that takes such a pass back; None where there is no need.

    A candidate that passes at least the margin has shown that passing is possible.
    """
    before, after, margin = drop.baseline_rate, drop.candidate_rate, drop.margin
    if drop.outcome is not Outcome.PASS or before is None or after is None or margin is None:
        return None
    if max(before, after) >= margin:
        return None
    return PartVerdict(
        name="headroom",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message=(
            f"The baseline passes {percent(before)} and the candidate {percent(after)}, so a drop "
            f"of {points(margin)} could not have happened: not dropping shows nothing."
        ),
        what_would_settle="A look at the scorers and at what the cases expect: hardly any passes.",
        owner=drop.owner,
    )
