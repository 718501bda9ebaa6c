"""junit.xml: what CI systems read, and nothing that a model wrote."""

from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from evalkit.gate import GateSettings
from evalkit.records.attempt import FailureMode
from evalkit.records.case import Case
from evalkit.records.score import Score
from evalkit.report.junit import junit_xml
from tests.unit.report.conftest import Builder, MakeRun, Results, Spec

Sides = dict[str, tuple[Results, Results]]
T, F, N = True, False, None
KINDS: Sides = {
    "same": ((T,), (T,)),
    "lost": ((T,), (F,)),
    "bad": ((F,), (F,)),
    "down": ((T,), (N,)),
    "found": ((F,), (T,)),
}


def suite_of(xml: str) -> TestSuite:
    (suite,) = JUnitXml.fromstring(xml.encode())
    return suite


def cases_of(xml: str) -> dict[str, TestCase]:
    return {case.name: case for case in suite_of(xml) if case.classname == "routing"}


def test_a_case_is_a_failure_only_where_the_candidate_broke_it(make_run: MakeRun) -> None:
    cases = cases_of(junit_xml(*make_run(KINDS)))

    def result(name: str) -> list[tuple[type, str, str]]:
        found = cases[f"{name} [candidate, trial 1]"].result
        return [(type(each), each.type, each.message) for each in found]

    assert result("same") == result("found") == []
    assert result("lost") == [
        (
            Failure,
            "evalkit.failed",
            "The case fails, and passed in the baseline. Scorers that did not pass it: exact.",
        )
    ]
    assert result("bad") == [
        (
            Skipped,
            "evalkit.known_failure",
            "The case fails, as it does in the baseline. Scorers that did not pass it: exact.",
        )
    ]
    assert result("down") == [(Error, "evalkit.no_result", "No result: timeout.")]


def test_counts_times_and_the_timestamp_have_the_xunit2_shape(make_run: MakeRun) -> None:
    run, passes = make_run(KINDS, origin="live")
    xml = junit_xml(run, passes)
    root = ElementTree.fromstring(xml)
    suite = root[0]
    assert root.tag == "testsuites"
    for element in (root, suite):
        counts = [element.get(name) for name in ("tests", "failures", "errors", "skipped")]
        assert counts == ["6", "1", "2", "1"]  # five cases and the drop, which is incomplete
        assert element.get("time") == "1.000"
    assert suite[0].tag == "properties"
    assert suite.get("hostname") == "localhost"
    assert datetime.fromisoformat(suite.get("timestamp") or "").tzinfo is not None
    times = [case.get("time") for case in suite.iter("testcase") if case.get("name") != "drop"]
    assert times == ["0.250", "0.250", "0.250", "0.000", "0.250"]


def test_the_gates_requirements_are_tests_of_their_own(make_run: MakeRun, regressed: Sides) -> None:
    settings = GateSettings(max_drop_pp=3, invariants=("policy",))
    suite = suite_of(junit_xml(*make_run(regressed, settings=settings)))
    gate = {case.name: case for case in suite if case.classname == "routing.gate"}
    assert set(gate) == {"drop", "invariant:policy"}
    assert [type(each) for each in gate["drop"].result] == [Failure]
    assert gate["drop"].result[0].message == "FAIL"
    assert gate["invariant:policy"].result == []


def test_an_open_requirement_is_an_error_and_skipped_where_it_is_let_through(
    make_run: MakeRun,
) -> None:
    few: Sides = {f"c{n}": ((T,), (T,)) for n in range(10)}

    def drop(on_inconclusive: Any) -> list[type]:
        settings = GateSettings(max_drop_pp=3, on_inconclusive=on_inconclusive)
        suite = suite_of(junit_xml(*make_run(few, settings=settings)))
        return [type(each) for case in suite if case.name == "drop" for each in case.result]

    assert drop("escalate") == [Error]
    assert drop("warn") == [Skipped]


def test_a_run_that_decided_nothing_says_so(make_run: MakeRun) -> None:
    suite = suite_of(junit_xml(*make_run({"a": ((T,), (T,))}, gates=False)))
    (verdict,) = [case for case in suite if case.classname == "routing.gate"]
    assert [each.message for each in verdict.result] == ["This run decided nothing."]


def test_without_a_baseline_every_failing_case_is_a_failure(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((), (F,)), "b": ((), (T,))}, has_baseline=False)
    cases = cases_of(junit_xml(run, passes))
    assert [type(each) for each in cases["a [candidate, trial 1]"].result] == [Failure]


def test_a_baseline_without_a_result_excuses_nothing(make_run: MakeRun) -> None:
    cases = cases_of(junit_xml(*make_run({"a": ((N,), (F,))})))
    assert [type(each) for each in cases["a [candidate, trial 1]"].result] == [Failure]


def test_trials_have_names_of_their_own(make_run: MakeRun) -> None:
    names = set(cases_of(junit_xml(*make_run({"a": ((T, T), (T, F))}))))
    assert names == {"a [candidate, trial 1]", "a [candidate, trial 2]"}


def test_an_attempt_that_was_never_made_is_an_error(make_run: MakeRun) -> None:
    gone = frozenset({("routing", "candidate", "a", 1)})
    cases = cases_of(junit_xml(*make_run({"a": ((T,), (T,))}, missing=gone)))
    (error,) = cases["a [candidate, trial 1]"].result
    assert (type(error), error.message) == (Error, "No result: the attempt was never made.")


def test_no_text_of_a_model_a_scorer_or_a_server_is_in_it(make_run: MakeRun) -> None:
    secret = "the model said this"
    score = Score(
        suite="routing",
        variant="candidate",
        case="a",
        trial=1,
        scorer="exact",
        kind="exact",
        state="scored",
        passed=False,
        gate=True,
        message=secret,
        expected=secret,
        found=secret,
    )
    run, passes = make_run(
        {"a": ((T,), (F,)), "b": ((T,), (N,))},
        cases={"a": Case(id="a", input={"x": secret}, expected={"output": secret})},
        outputs={"a": (secret, secret)},
        scores=(score,),
        attempts={
            ("routing", "candidate", "b", 1): {
                "error": secret,
                "failure_mode": FailureMode.SERVER_ERROR,
            }
        },
    )
    assert secret not in junit_xml(run, passes)


def test_names_that_differ_only_in_illegal_characters_stay_apart(make_run: MakeRun) -> None:
    run, passes = make_run({"a\x01": ((T,), (T,)), "a\x02": ((T,), (T,))})
    names = [case.name for case in suite_of(junit_xml(run, passes)) if case.classname == "routing"]
    assert names == ["a\ufffd [candidate, trial 1]", "a\ufffd [candidate, trial 1] (2)"]


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True))
def test_any_name_gives_xml_that_parses_with_unique_tests(ids: list[str]) -> None:
    results: Sides = dict.fromkeys(ids, ((T,), (F,)))
    xml = junit_xml(*Builder(Spec(results=results, snapshot={"owner": ids[0]})).build())
    xml.encode("utf-8")
    names = [(case.classname, case.name) for case in suite_of(xml)]
    assert len(names) == len(set(names)) == len(ids) + 1


def test_origins_are_properties_so_that_scripts_show(make_run: MakeRun) -> None:
    suite = suite_of(junit_xml(*make_run({"a": ((T,), (T,))}, origin="scripted")))
    values = {each.name: each.value for each in suite.properties()}
    assert values["replies.scripted"] == "2"
    assert values["verdict"] == "INCONCLUSIVE"
    assert values["exit_code"] == "3"


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\ufffe"])
def test_characters_that_xml_cannot_hold_are_replaced(make_run: MakeRun, character: str) -> None:
    xml = junit_xml(*make_run({f"a{character}b": ((T,), (F,))}))
    assert character not in xml
    assert "a\ufffdb [candidate, trial 1]" in xml
