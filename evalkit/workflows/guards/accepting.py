"""What a change made weaker or left untested, but for what was accepted."""

from collections.abc import Sequence
from pathlib import Path

from evalkit.workflows.guards.guarding import guard_suites
from evalkit.workflows.guards.unexercised import find_unexercised, unexercised_error
from evalkit.workflows.setup.base_ref import BaseRef
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup


def unaccepted_changes(
    root: Path, request: RunRequest, setups: Sequence[SuiteSetup], base: BaseRef
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """What became weaker, per suite, unless it was accepted; and warnings for what was accepted.

    Raises Refused for what changed and no suite of the run tests, unless that was accepted.
    """
    warnings = []
    unexercised = find_unexercised(root, setups, base)
    if unexercised and request.counts:
        names = ", ".join(setup.name for setup in setups)
        if not request.allow_unexercised:
            raise unexercised_error(unexercised, names)
        warnings.append(
            f"accepted by --allow-unexercised, tested by nothing: {', '.join(unexercised)}"
        )
    guards, gone = guard_suites(root, setups, base)
    if gone and setups:
        first = setups[0].name
        sentences = tuple(f"the suite {name} is gone or no longer runs by default" for name in gone)
        guards[first] = (*guards[first], *sentences)
    if request.accept_gate_change:
        warnings += [
            f"accepted by --accept-gate-change, {name}: {sentence}"
            for name, sentences in guards.items()
            for sentence in sentences
        ]
        return {}, tuple(warnings)
    return guards, tuple(warnings)
