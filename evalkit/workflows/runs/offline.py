"""`--offline`: what is stored answers, and nothing else is asked."""

from collections.abc import Sequence

from evalkit.errors import Refused
from evalkit.workflows.setup.variants import SuiteSetup


def refuse_unheld(setups: Sequence[SuiteSetup]) -> None:
    """Raise Refused for targets that ask by themselves: nothing here could keep them from it."""
    for setup in setups:
        for variant in setup.variants:
            target = variant.assets.suite.target
            if target.http is not None or target.command is not None:
                raise Refused(
                    f"suite {setup.name} tests an application of its own "
                    f"({variant.assets.reference}), which asks models by itself: --offline cannot "
                    "keep it from that; run without --offline, or name other suites"
                )
