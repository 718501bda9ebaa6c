"""Where nothing passes, not dropping is no pass."""

from collections.abc import Callable

import pytest

from evalkit.gate import CaseResult, GateSettings, decide_suite, decide_verdict
from evalkit.records.verdict import Outcome

Table = Callable[..., list[CaseResult]]


@pytest.mark.parametrize("passing", [0, 1, 5])  # of 200: less than the margin of 3 pp
def test_two_arms_that_pass_nearly_nothing_are_inconclusive(table: Table, passing: int) -> None:
    cases = table(passing, 0, 0, 200 - passing)
    for settings in (GateSettings(), GateSettings(on_inconclusive="warn")):
        suite = decide_suite("s", cases, settings)
        assert [part.name for part in suite.parts] == ["headroom", "drop"]
        assert suite.outcome is Outcome.INCONCLUSIVE
        assert decide_verdict([suite]).exit_code == 3


def test_a_baseline_that_passes_the_margin_has_room_to_drop(table: Table) -> None:
    suite = decide_suite("s", table(6, 0, 0, 194), GateSettings())
    assert (suite.outcome, len(suite.parts)) == (Outcome.PASS, 1)


def test_a_candidate_that_repairs_everything_passes(table: Table) -> None:
    suite = decide_suite("s", table(0, 0, 150, 50), GateSettings())
    assert (suite.outcome, len(suite.parts)) == (Outcome.PASS, 1)
