from array import array
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.planned import (
    Attempts,
    Column,
    Shared,
    SuiteAttempts,
    lacking,
    origins_of,
    select_attempts,
)

LIVE = Shared("m", "live", 16, 0.25, True, 1, ("system", "input"))
SCRIPT = LIVE._replace(origin="scripted", parts=("input", "tools"), priced=False)
CASES = Cases.of(Case(id=f"c{n}", input={}) for n in range(3))


def suite(name: str = "ask") -> SuiteAttempts:
    """Two variants, two trials of three cases; the last attempt is refused, the fourth lacks."""
    made = SuiteAttempts(name, ("baseline", "candidate"), CASES, array("I", (2, 0, 1)), range(1, 3))
    for at, _ in enumerate(made.places()):
        if at == 11:
            made.add(Shared("", None, 0, 0.0, True, 1, ()), tokens={}, refused="no")
        elif at == 3:
            made.add(SCRIPT, tokens={"input": 7, "tools": 9}, missing="no line")
        else:
            made.add(LIVE, tokens={"system": 5, "input": 10 + at}, max_usd=1.0 + at)
    return made


def test_attempts_are_what_was_added_in_an_order_of_pairs() -> None:
    attempts = Attempts([suite()])
    assert [(each.variant[0], each.case, each.trial) for each in attempts] == [
        ("b", "c2", 1),
        ("c", "c2", 1),
        ("c", "c0", 1),
        ("b", "c0", 1),
        ("b", "c1", 1),
        ("c", "c1", 1),
        ("c", "c2", 2),
        ("b", "c2", 2),
        ("b", "c0", 2),
        ("c", "c0", 2),
        ("c", "c1", 2),
        ("b", "c1", 2),
    ]
    first, fourth, last = attempts[0], attempts[3], attempts[-1]
    assert (first.input_tokens, first.max_cost_usd, first.expected_cost_usd) == (
        {"system": 5, "input": 10},
        1.0,
        0.75,
    )
    assert (fourth.input_tokens, fourth.max_cost_usd, fourth.missing) == (
        {"input": 7, "tools": 9},
        None,
        "no line",
    )
    assert (last.refused, last.origin, last.input_tokens, last.max_cost_usd) == ("no", None, {}, 0)
    assert [attempts[at] for at in range(-12, 12)] == 2 * list(attempts)
    with pytest.raises(IndexError):
        attempts[12]


def test_attempts_of_several_suites_follow_each_other_and_can_be_chosen() -> None:
    attempts = Attempts([suite("a"), suite("b")])
    assert [each.suite for each in attempts] == ["a"] * 12 + ["b"] * 12
    some = select_attempts(attempts, lambda each: each.case == "c0")
    assert len(some) == 8 and {each.case for each in some} == {"c0"}
    assert [each.suite for each in some[3:6]] == ["a", "b", "b"]
    assert attempts[20:] == list(attempts)[20:]


def test_what_lacks_and_where_replies_come_from_is_known_of_all_and_of_some() -> None:
    attempts = Attempts([suite("a"), suite("b")])
    found = [(each.suite, each.case) for each in lacking(attempts)]
    assert found == [("a", "c0"), ("b", "c0")]
    assert lacking(tuple(attempts)) == lacking(attempts)
    assert origins_of(attempts, "a") == {"live", "scripted", None}
    some = attempts.where(lambda each: each.case == "c2")
    assert lacking(some) == []
    assert origins_of(some, "a") == {"live"}
    assert select_attempts(tuple(attempts), lambda each: each.case == "c2") == tuple(some)


@given(st.lists(st.sampled_from([0, 1, 255, 256, 2**32 - 1, 2**32, 2**60])), st.integers(0, 3))
def test_a_column_holds_whatever_number_comes(numbers: list[int], zeros: int) -> None:
    column = Column("BIQ", zeros=zeros)
    for number in numbers:
        column.append(number)
    expected: list[Any] = [0] * zeros + numbers
    assert [column[at] for at in range(len(expected))] == expected
    assert all(a == b for a, b in pairwise([column[at] for at in range(zeros)]))
