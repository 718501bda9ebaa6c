"""A drop that could not have happened.

Where both arms pass less often than the margin is wide, nothing could drop by it: a suite whose
scorers or expectations are broken, so that everything fails alike, would pass.
"""

from collections.abc import Sequence

from evalkit.gate.wording import percent, points
from evalkit.records.verdict import Outcome, PartVerdict

_BASELINE, _ANCHOR = "the baseline", "the anchor"


def check_headroom(parts: Sequence[PartVerdict]) -> PartVerdict | None:
    """The held, inconclusive part that takes such passes back; None where there is no need.

    `parts` are drops of whole suites: of the pass rate, against the anchor, of a metric that is a
    rate. A candidate that passes at least the margin has shown that passing is possible.
    """
    without = [sentence for part in parts if part.required and (sentence := _no_room(part))]
    if not without:
        return None
    return PartVerdict(
        name="headroom",
        kind="guard",
        outcome=Outcome.INCONCLUSIVE,
        best=Outcome.INCONCLUSIVE,
        worst=Outcome.INCONCLUSIVE,
        required=True,
        held=True,
        message=" ".join(without),
        what_would_settle="A look at the scorers and at what the cases expect: hardly any passes.",
        owner=parts[0].owner,
    )


def _no_room(part: PartVerdict) -> str | None:
    before, after, margin = part.baseline_rate, part.candidate_rate, part.margin
    if part.outcome is not Outcome.PASS or before is None or after is None or margin is None:
        return None
    if max(before, after) >= margin:
        return None
    fixed = _ANCHOR if part.kind == "anchor" else _BASELINE
    which = f"{part.name}: {fixed}" if part.kind == "metric" else fixed.capitalize()
    return (
        f"{which} passes {percent(before)} and the candidate {percent(after)}, so a drop "
        f"of {points(margin)} could not have happened: not dropping shows nothing."
    )
