"""What a Rego package decided, and when it decided nothing."""

from typing import Any

import pytest

from evalkit.control.rego.decision import Undecided, read_decision

PACKAGE = "evalkit.policy"


def read(decided: Any, *, shadow: bool = False) -> list[tuple[str, str]]:
    rulings = read_decision(decided, package=PACKAGE, shadow=shadow)
    return [(ruling.rule, ruling.outcome) for ruling in rulings]


@pytest.mark.parametrize(
    ("decided", "rulings"),
    [
        ({"deny": []}, [("rego.evalkit.policy", "allowed")]),
        ({"allow": True}, [("rego.evalkit.policy", "allowed")]),
        ({"allow": False}, [("rego.evalkit.policy.allow", "denied")]),
        ({"deny": ["too much"]}, [("rego.evalkit.policy", "denied")]),
        (
            {"allow": True, "deny": [{"rule": "limit", "message": "too much"}]},
            [("rego.evalkit.policy.limit", "denied")],
        ),
        (
            {"allow": False, "deny": ["a", {"message": "b"}]},
            [("rego.evalkit.policy", "denied"), ("rego.evalkit.policy", "denied")],
        ),
        ({"deny": [], "warn": ["odd"]}, [("rego.evalkit.policy", "warned")]),
        ({"deny": [], "other": {"anything": 1}}, [("rego.evalkit.policy", "allowed")]),
    ],
)
def test_a_decision_is_read_as_it_stands(decided: Any, rulings: list[tuple[str, str]]) -> None:
    assert read(decided) == rulings


@pytest.mark.parametrize(
    "decided",
    [
        None,
        {},
        [],
        "allow",
        True,
        {"warn": []},
        {"allow": "true"},
        {"allow": 1},
        {"allow": None},
        {"deny": "too much"},
        {"deny": {"a": 1}},
        {"deny": [3]},
        {"deny": [{"rule": "limit"}]},
        {"deny": [{"rule": 3, "message": "x"}]},
        {"allow": True, "deny": None},
        {"allow": True, "warn": [{}]},
    ],
)
def test_what_cannot_be_read_is_no_decision(decided: Any) -> None:
    with pytest.raises(Undecided):
        read(decided)


def test_in_shadow_mode_denials_are_warnings() -> None:
    assert read({"allow": False}, shadow=True) == [("rego.evalkit.policy.allow", "warned")]
    assert read({"deny": ["x"]}, shadow=True) == [("rego.evalkit.policy", "warned")]
