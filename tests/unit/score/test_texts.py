"""`contains` and `regex`."""

import time
from typing import Any

import pytest

from evalkit.errors import ConfigError
from evalkit.score.registry import build_scorers
from tests.unit.score.samples import answer, case, score


def test_every_text_of_all_has_to_be_there() -> None:
    entry = {"contains": {"all": ["ten", "Sunday"]}}
    assert score(entry, answer("From ten, not on Sunday."), case()).passed is True
    found = score(entry, answer("From ten."), case())
    assert found.passed is False
    assert 'expected "Sunday", not found' in found.message


def test_one_text_of_any_is_enough() -> None:
    entry = {"contains": {"any": ["fee", "fine"]}}
    assert score(entry, answer("The fine is 20 p."), case()).passed is True
    assert score(entry, answer("It costs 20 p."), case()).passed is False


def test_no_text_of_none_may_be_there() -> None:
    entry = {"contains": {"none": ["guarantee"]}}
    assert score(entry, answer("We try."), case()).passed is True
    found = score(entry, answer("We guarantee it."), case())
    assert found.passed is False
    assert 'expected no "guarantee", found it' in found.message


def test_case_and_spaces_count_unless_normalised() -> None:
    strict = {"contains": {"all": ["Main Hall"]}}
    loose = {"contains": {"all": ["Main Hall"], "normalise": ["casefold", "collapse_spaces"]}}
    assert score(strict, answer("main  hall"), case()).passed is False
    assert score(loose, answer("in the main\nhall"), case()).passed is True


def test_without_lists_the_case_says_what_to_look_for() -> None:
    entry: dict[str, Any] = {"contains": {}}
    assert score(entry, answer("ten to six"), case(contains=["ten", "six"])).passed is True
    assert score(entry, answer("ten to six"), case(contains="seven")).passed is False
    assert score(entry, answer("ten to six"), case()).state == "not_applicable"


@pytest.mark.parametrize("wanted", [[], [1], {"all": ["x"]}, [""]])
def test_a_case_that_asks_for_nonsense_is_an_error(wanted: Any) -> None:
    found = score({"contains": {}}, answer("x"), case(contains=wanted))
    assert (found.state, found.passed) == ("error", None)


def test_a_text_that_every_output_holds_is_refused_when_built() -> None:
    for config in ({"all": [""]}, {"none": [" "], "normalise": ["strip"]}):
        with pytest.raises(ConfigError, match="every output"):
            build_scorers([{"contains": config}], {})


def test_without_a_reply_even_none_fails() -> None:
    assert score({"contains": {"none": ["x"]}}, answer(None, state="refused"), case()).passed is (
        False
    )


def test_a_pattern_is_searched_for_or_has_to_match_the_whole_output() -> None:
    part = {"regex": {"pattern": r"\d+ p"}}
    whole = {"regex": {"pattern": r"\d+ p", "full": True}}
    assert score(part, answer("It is 20 p a day."), case()).passed is True
    assert score(whole, answer("It is 20 p a day."), case()).passed is False
    assert score(whole, answer("20 p"), case()).passed is True
    assert score(whole, answer("20 p\n"), case()).passed is False


def test_a_dollar_is_the_end_of_the_output_not_of_its_last_line() -> None:
    entry = {"regex": {"pattern": "p$"}}
    assert score(entry, answer("20 p"), case()).passed is True
    assert score(entry, answer("20 p\n"), case()).passed is False


def test_without_a_pattern_the_case_has_it() -> None:
    entry: dict[str, Any] = {"regex": {}}
    assert score(entry, answer("Grüße"), case(regex="^Gr.ße$")).passed is True
    assert score(entry, answer("Grüße"), case(regex="^gr")).passed is False
    assert score(entry, answer("x"), case()).state == "not_applicable"


@pytest.mark.parametrize("pattern", [r"(?=x)", r"(a)\1", "(", "a{1000}{1000}", ""])
def test_a_pattern_that_re2_does_not_take_is_refused_when_built(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as refused:
        build_scorers([{"regex": {"pattern": pattern}}], {})
    assert refused.value.problems[0].key == "scorers[0]"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("pattern", [r"(?=x)", 7, ["x"]])
def test_a_case_whose_pattern_is_broken_is_an_error(pattern: Any) -> None:
    found = score({"regex": {}}, answer("x"), case(regex=pattern))
    assert (found.state, found.passed) == ("error", None)


def test_a_pattern_that_backtracks_elsewhere_takes_no_time() -> None:
    """`re` would need 2**30 steps for the first of these."""
    text = "a" * 50_000 + "!"
    started = time.perf_counter()
    for pattern in ("^(a+)+$", "^(a|aa)+$", "^(.*a){12}$"):
        assert score({"regex": {"pattern": pattern}}, answer(text), case()).passed is False
    assert time.perf_counter() - started < 2
