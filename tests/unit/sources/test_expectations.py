"""What suites ask of their cases: a case that nothing decides, or a name that nothing has."""

from typing import Any

import pytest

from evalkit.config.scorers import ScorerEntry

JSONL = "goldensets/desk/v1/cases.jsonl"
SCORER = "{exact: {fields: [queue]}}"


def _case(**more: Any) -> dict[str, Any]:
    return {"id": "a", "input": {"letter": "x"}, "tags": ["urgent"], **more}


@pytest.mark.parametrize(
    ("scorer", "reads"),
    [
        ({"exact": {}}, ("output",)),
        ({"exact": {"fields": ["a", "b"]}}, ("a", "b")),
        ({"numeric": {}}, ("output",)),
        ({"numeric": {"field": "a"}}, ("a",)),
        ({"contains": {}}, ("contains",)),
        ({"contains": {"none": ["x"]}}, ()),
        ({"regex": {}}, ("regex",)),
        ({"regex": {"pattern": "x"}}, ()),
        ({"tool_calls": {}}, ("tool_calls",)),
        ({"json_schema": "schemas/a.json"}, ()),
        ({"citations": {}}, ("citations",)),
        ({"policy": {}}, ("blocked", "forbidden_tools")),
    ],
)
def test_a_scorer_knows_what_it_reads(scorer: Any, reads: tuple[str, ...]) -> None:
    assert ScorerEntry.model_validate(scorer).reads == reads


@pytest.mark.parametrize(
    ("scorer", "expected", "decides"),
    [
        ({"exact": {"fields": ["a", "b"]}}, {"b": None}, True),
        ({"exact": {"fields": ["a", "b"]}}, {"output": "x"}, False),
        ({"exact": {}}, {"output": None}, True),
        ({"contains": {}}, {"contains": None}, False),
        ({"contains": {}}, {"contains": ["x"]}, True),
        ({"contains": {"any": ["x"]}}, {}, True),
        ({"regex": {}}, {}, False),
        ({"tool_calls": {}}, {"tool_calls": []}, True),
        ({"json_schema": "schemas/a.json"}, {}, True),
        ({"citations": {}}, {"citations": []}, False),
        ({"citations": {}}, {"citations": ["d"]}, True),
        ({"policy": {}}, {}, False),
        ({"policy": {}}, {"blocked": False}, True),
        ({"policy": {}}, {"forbidden_tools": []}, False),
        ({"policy": {}}, {"forbidden_tools": ["t"]}, True),
    ],
)
def test_a_scorer_decides_a_case_that_asks_it_something(
    scorer: Any, expected: dict[str, Any], decides: bool
) -> None:
    assert ScorerEntry.model_validate(scorer).decides(expected) is decides


def test_a_case_that_no_gating_scorer_reads_is_refused(sample: Any) -> None:
    sample.write_cases([_case(expected={"queue": "lost"}), {**_case(), "id": "b"}])
    problem = sample.problem()
    assert (problem.file, problem.line, problem.key) == (JSONL, 2, "expected")
    assert problem.message.endswith("suite desk reads, so nothing decides the case")
    assert problem.expected == "one of queue"


def test_an_advisory_scorer_decides_nothing(sample: Any) -> None:
    sample.change("evalkit.yaml", SCORER, f"{SCORER}\n      - {{contains: {{}}, gate: false}}")
    sample.write_cases([_case(expected={"contains": ["x"]})])
    assert "nothing decides the case" in sample.problem().message


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        (SCORER, {"blocked": True}),
        (SCORER, {"blocked": False}),
        ("{policy: {}}", {"forbidden_tools": ["call_finder"]}),
        ("{json_schema: schemas/answer.json}", {}),
        ("{contains: {none: [sorry]}}", {}),
        ("{tool_calls: {}}", {"tool_calls": []}),
    ],
)
def test_a_case_that_something_decides_is_in_order(
    sample: Any, scorer: str, expected: dict[str, Any]
) -> None:
    sample.change("evalkit.yaml", SCORER, scorer)
    sample.write_cases([_case(expected=expected)])
    assert len(sample.load().suites["desk"].golden.cases) == 1


def test_a_misspelt_key_of_expected_is_refused(sample: Any) -> None:
    sample.write_cases([_case(expected={"queue": "lost", "forbiden_tools": []})])
    problem = sample.problem()
    assert problem.key == "expected.forbiden_tools"
    assert problem.suggestion == "did you mean 'forbidden_tools'?"


def test_a_key_that_nothing_reads_is_said_once(sample: Any) -> None:
    cases = [_case(expected={"queue": "lost", "mood": "calm"}) | {"id": f"c{n}"} for n in range(3)]
    sample.write_cases(cases)
    (warning,) = [each for each in sample.load().warnings if each.key == "expected.mood"]
    assert warning.line == 1


def test_a_key_that_another_suite_of_the_set_reads_is_in_order(sample: Any) -> None:
    sample.write_cases([_case(expected={"queue": "lost", "mood": "calm"})])
    sample.write(
        "evalkit.yaml",
        (sample.root / "evalkit.yaml").read_text()
        + "  mood:\n    golden: desk@v1\n    route: desk\n    target: {prompt: desk@v1}\n"
        "    scorers: [{exact: {fields: [mood]}}]\n",
    )
    assert [each.key for each in sample.load().warnings if each.key] == []


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"expected": {"queue": "x", "tool_calls": [{"name": "call_findr"}]}},
         "expected.tool_calls[0].name"),
        ({"expected": {"queue": "x", "forbidden_tools": ["call_findr"]}},
         "expected.forbidden_tools[0]"),
        ({"approvals": {"call_findr": {"granted_by": "u", "team": "t"}}}, "approvals.call_findr"),
        ({"tools": {"call_findr": [{"returns": 1}]}}, "tools.call_findr"),
    ],
)  # fmt: skip
def test_a_tool_that_does_not_exist_is_refused(sample: Any, more: dict[str, Any], key: str) -> None:
    sample.write_cases([_case(**{"expected": {"queue": "x"}, **more})])
    problem = sample.problem()
    assert problem.key == key
    assert problem.expected == "a tool in tools/: call_finder"
    assert problem.suggestion == "did you mean 'call_finder'?"


@pytest.mark.parametrize("blocked", [{}, {"blocked": False}, {"blocked": None}])
def test_a_rule_that_blocks_needs_a_case_that_is_to_be_blocked(
    sample: Any, blocked: dict[str, Any]
) -> None:
    by = {"queue": "x", "blocked_by": "policies.disallow_actions"}
    sample.write_cases([_case(expected={**by, "blocked": True})])
    assert sample.load()
    sample.write_cases([_case(expected=by | blocked)])
    problem = sample.problem()
    assert (problem.key, problem.expected) == ("expected.blocked_by", "blocked: true")


def test_a_citation_names_a_document_of_the_case(sample: Any) -> None:
    documents = [{"id": "clause-4", "index": "k", "text": "t"}]
    expected = {"queue": "x", "citations": ["clause-4", "clause-5"]}
    sample.write_cases([_case(expected=expected, documents=documents)])
    problem = sample.problem()
    assert problem.key == "expected.citations[1]"
    assert problem.expected == "one of clause-4"


def test_a_pattern_that_could_run_away_is_refused(sample: Any) -> None:
    sample.write_cases([_case(expected={"queue": "x", "regex": r"(?<=a)b"})])
    assert sample.problem().key == "expected.regex"


@pytest.mark.parametrize("value", ["three", "1e3", ".5", "1,200", True, [3]])
def test_what_numeric_compares_with_is_a_number(sample: Any, value: Any) -> None:
    sample.change("evalkit.yaml", SCORER, "{numeric: {field: weight_kg}}")
    sample.write_cases([_case(expected={"weight_kg": value})])
    assert sample.problem().expected == "a number"


@pytest.mark.parametrize("value", [3, -0.5, "12.50", None])
def test_numeric_compares_with_a_number_a_text_of_one_or_nothing(sample: Any, value: Any) -> None:
    sample.change("evalkit.yaml", SCORER, "{numeric: {field: weight_kg}}")
    sample.write_cases([_case(expected={"weight_kg": value})])
    assert sample.load().suites["desk"].golden.count == 1


def test_a_case_that_only_policies_that_do_nothing_would_pass_is_refused(sample: Any) -> None:
    sample.change("evalkit.yaml", SCORER, "{policy: {}}\n      - {citations: {}}")
    sample.write_cases([_case()])
    assert sample.problem().expected == "one of blocked, forbidden_tools, citations"


def test_a_slice_without_a_case_is_refused(sample: Any) -> None:
    sample.change("evalkit.yaml", "{urgent: ", "{urgnt: ")
    problem = sample.problem()
    assert (problem.file, problem.key) == ("evalkit.yaml", "suites.desk.gate.slices.urgnt")
    assert problem.message == "no case of desk@v1 has this tag"
    assert problem.suggestion == "did you mean 'urgent'?"
