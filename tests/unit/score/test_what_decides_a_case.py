"""`check` looks at cases without building scorers; both have to agree on what decides a case."""

from typing import Any

import pytest

from evalkit.config.scorers import ScorerEntry
from evalkit.records.case import Case
from evalkit.score.registry import build_scorers
from evalkit.score.state import nothing_decides
from tests.labelled import rubric

SCORERS: list[dict[str, Any]] = [
    {"exact": {}},
    {"exact": {"fields": ["queue", "urgent"]}},
    {"contains": {}},
    {"contains": {"any": ["hat"]}},
    {"regex": {}},
    {"regex": {"pattern": "hat"}},
    {"numeric": {}},
    {"numeric": {"field": "kg"}},
    {"json_schema": "schemas/answer.json"},
    {"tool_calls": {}},
    {"citations": {}},
    {"policy": {}},
    {"similarity": {"min": 0.5}},
    {"token_f1": {"min": 0.5, "to": "output"}},
    {"judge": "tone@v1"},
]
EXPECTED: list[dict[str, Any]] = [
    {},
    {"reference": "A hat."},
    {"output": "3"},
    {"output": None},
    {"urgent": False},
    {"kg": None},
    {"contains": "hat"},
    {"contains": None},
    {"regex": "hat"},
    {"tool_calls": []},
    {"tool_calls": None},
    {"citations": []},
    {"citations": ["kb-1"]},
    {"forbidden_tools": []},
    {"forbidden_tools": ["wipe"]},
]


@pytest.mark.parametrize("scorer", SCORERS, ids=str)
@pytest.mark.parametrize("expected", EXPECTED, ids=str)
def test_check_and_scoring_agree_on_what_decides_a_case(
    scorer: dict[str, Any], expected: dict[str, Any]
) -> None:
    schemas = {"schemas/answer.json": {"type": "object"}}
    scorers = build_scorers([scorer], schemas, {"tone": rubric()})
    case = Case(id="c", input={}, expected=expected)
    decides = ScorerEntry.model_validate(scorer).decides(expected)
    assert nothing_decides(scorers, case) is not decides
