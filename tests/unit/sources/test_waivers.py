"""waivers.yaml: what it may say, and entries put in and taken out byte for byte."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import date
from io import BytesIO
from typing import Any, BinaryIO

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from evalkit.config.schema import json_schemas
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem
from evalkit.records.verdict import Waiver
from evalkit.sources.waiver_entries import entry_data, entry_text, with_waiver, without_waiver
from evalkit.sources.waivers import WAIVERS_FILE, examine_waivers, load_waivers

TODAY = date(2026, 7, 15)
ENTRY: dict[str, Any] = {
    "id": "w-1",
    "suite": "desk",
    "part": "drop",
    "reason": "Fixed by DESK-7 next week.",
    "accepted_by": "Ana <ana@example.org>",
    "on": "2026-07-01",
    "until": "2026-08-01",
    "up_to": 5.5,
}
DROP = Waiver(**ENTRY)
BROKEN = msgspec.structs.replace(
    DROP, id="w-2", part="invariant:policy", up_to=None, cases=("c-1", "12"), until="2026-09-01"
)


class Tree:
    """A tree with waivers.yaml alone, or without it."""

    label = "working tree"

    def __init__(self, content: bytes | None) -> None:
        self.files: Mapping[str, bytes] = {} if content is None else {WAIVERS_FILE: content}

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def open(self, path: str) -> AbstractContextManager[BinaryIO]:
        return BytesIO(self.read(path))

    def exists(self, path: str) -> bool:
        return path in self.files

    def list(self, folder: str) -> list[str]:
        return sorted(self.files)


def tree(*entries: dict[str, Any]) -> Tree:
    """A tree whose file holds these entries."""
    return Tree(yaml.safe_dump({"waivers": list(entries)}, sort_keys=False).encode())


def changed(**fields: Any) -> dict[str, Any]:
    """The entry with other fields; None takes one out."""
    return {key: value for key, value in {**ENTRY, **fields}.items() if value is not None}


def problems(*entries: dict[str, Any], suites: tuple[str, ...] = ("desk",)) -> list[Problem]:
    """What loading these entries complains about."""
    with pytest.raises(ConfigError) as caught:
        load_waivers(tree(*entries), suites=suites, today=TODAY)
    return list(caught.value.problems)


def test_without_a_file_nothing_is_waived() -> None:
    assert load_waivers(Tree(None), suites=["desk"], today=TODAY) == ()


def test_waivers_come_in_their_order_with_their_lines() -> None:
    found = load_waivers(tree(ENTRY, changed(id="w-2", part="floor", up_to=None, at_least=0.8)))
    assert [(each.id, each.line) for each in found] == [("w-1", 2), ("w-2", 10)]
    assert found[0] == msgspec.structs.replace(DROP, line=2)
    assert found[1].at_least == 0.8


def test_an_expired_waiver_loads_because_the_gate_has_to_name_it() -> None:
    old = changed(on="2025-01-01", until="2025-02-01")
    assert len(load_waivers(tree(old), today=TODAY)) == 1


@pytest.mark.parametrize(
    ("part", "cover"),
    [
        ("drop", {"up_to": 1.0}),
        ("anchor drop", {"up_to": 1.0}),
        ("slice:high risk drop", {"up_to": 1.0}),
        ("metric:cost_usd", {"up_to": 12.0}),
        ("floor", {"at_least": 0.5}),
        ("slice:high risk floor", {"at_least": 0.5}),
        ("invariant:policy", {"cases": ["c-1"]}),
        ("gate change", {"text": "trials went from 2 to 1."}),
    ],
)
def test_each_part_has_the_one_cover_that_fits(part: str, cover: dict[str, Any]) -> None:
    (waiver,) = load_waivers(tree(changed(**({"part": part, "up_to": None} | cover))))
    assert waiver.part == part
    others: dict[str, Any] = {"up_to": 1.0, "at_least": 0.5}
    wrong = next(key for key in others if key not in cover)
    lacking, foreign = problems(changed(part=part, up_to=None) | {wrong: others[wrong]})
    assert f"how much of '{part}' is accepted" in lacking.message
    assert next(iter(cover)) in str(lacking.expected)
    assert (foreign.key, foreign.message) == (
        f"waivers[0].{wrong}",
        f"does not belong to a waiver of '{part}'",
    )


@pytest.mark.parametrize(
    ("fields", "key", "says"),
    [
        ({"until": "2026-06-30"}, "until", "ends before it was accepted"),
        ({"until": "2027-07-03"}, "until", "more than a year"),
        ({"until": "2026-02-30"}, "until", "there is no such day"),
        ({"until": "soon"}, "until", "wrong value"),
        ({"on": "2026-07-17"}, "on", "has not come yet"),
        ({"on": "2026-13-01"}, "on", "there is no such day"),
        ({"reason": "short"}, "reason", "wrong value"),
        ({"reason": "            "}, "reason", "says nothing"),
        ({"accepted_by": "   "}, "accepted_by", "names nobody"),
        ({"accepted_by": None}, "accepted_by", "is missing"),
        ({"suite": "dsk"}, "suite", "there is no suite of this name"),
        ({"part": "drp"}, "part", "no part of a gate is called so"),
        ({"part": "slice: drop"}, "part", "no part of a gate is called so"),
        ({"up_to": -1.0}, "up_to", "wrong value"),
        ({"untl": "2026-08-01"}, "untl", "unknown key"),
    ],
)
def test_what_makes_no_sense_is_named_with_its_place(
    fields: dict[str, Any], key: str, says: str
) -> None:
    found = [each for each in problems(changed(**fields)) if each.key == f"waivers[0].{key}"]
    assert [each.message for each in found if says in each.message], found
    assert all(each.file == WAIVERS_FILE and each.line and each.column for each in found)


def test_a_day_of_slack_for_those_east_of_utc() -> None:
    assert load_waivers(tree(changed(on="2026-07-16")), today=TODAY)


def test_every_problem_is_reported_at_once() -> None:
    found = problems(changed(part="drp"), changed(suite="x"))
    assert [each.message for each in found] == [
        "no part of a gate is called so",
        "a waiver of this id stands in line 2 already",
        "there is no suite of this name",
    ]
    assert "evalkit waive --remove w-1" in str(found[-1].suggestion)


def test_a_repeated_case_is_refused() -> None:
    (found,) = problems(
        changed(part="invariant:policy", up_to=None, cases=["a", "b", "a"]),
    )
    assert (found.key, found.message) == ("waivers[0].cases[2]", "stands here twice")


def test_what_is_in_order_is_kept_beside_what_is_not() -> None:
    found = examine_waivers(tree(ENTRY, changed(id="w-2", part="x")))
    assert ([each.id for each in found.waivers], len(found.problems)) == (["w-1"], 1)


@pytest.mark.parametrize("content", [b"", b"[]\n", b"waivers: null\n", b"waivers: [\n"])
def test_a_file_that_is_no_list_of_waivers_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigError):
        load_waivers(Tree(content))


def test_the_schema_accepts_what_is_written_and_refuses_two_covers() -> None:
    schema = Draft202012Validator(json_schemas()["waivers"])
    written = parse_yaml(with_waiver(with_waiver(None, DROP), BROKEN), WAIVERS_FILE).data
    schema.validate(written)
    assert not schema.is_valid({"waivers": [{**ENTRY, "at_least": 0.5}]})
    assert not schema.is_valid({"waivers": [changed(up_to=None)]})


FILES = [
    None,
    b"waivers: []\n",
    b"# head\nwaivers: [ ]  # none yet\n# foot",
    b"waivers:\n  []\n",
    b"waivers:\r\n- id: a\r\n  reason: b\r\n",
    b"waivers:\n    - id: a # first\n      reason: |\n        kept\n        # and this\n\n# foot\n",
    b"\xef\xbb\xbfwaivers:\n  - {id: a,\n     reason: b}",
]


@pytest.mark.parametrize("before", FILES, ids=range(len(FILES)))
def test_an_entry_is_added_at_the_end_and_the_rest_stays(before: bytes | None) -> None:
    after = with_waiver(before, BROKEN)
    held = [] if before is None else parse_yaml(before, WAIVERS_FILE).data["waivers"]
    assert parse_yaml(after, WAIVERS_FILE).data == {"waivers": [*held, entry_data(BROKEN)]}
    if held:
        assert before is not None and after.startswith(before)
        bare = after.replace(b"\r\n", b"").count(b"\n")
        assert bare == 0 if b"\r\n" in before else b"\r" not in after


@pytest.mark.parametrize("before", [each for each in FILES if each and b"id: a" in each])
def test_what_was_added_can_be_taken_out_again(before: bytes) -> None:
    whole = before if before.endswith(b"\n") else before + b"\n"
    assert without_waiver(with_waiver(before, BROKEN), "w-2") == whole


def test_taking_out_leaves_the_neighbours_and_their_comments() -> None:
    text = (
        "waivers:\n- id: a  # one\n  reason: |\n    long\n\n# about b\n- id: b\n"
        "  cases: [x,\n    y]  # tail\n\n- id: c\n"
    )
    assert without_waiver(text.encode(), "a").decode() == text.replace(
        "- id: a  # one\n  reason: |\n    long\n", ""
    )
    assert without_waiver(text.encode(), "b").decode() == text.replace(
        "- id: b\n  cases: [x,\n    y]  # tail\n", ""
    )


def test_taking_out_the_last_one_leaves_an_empty_list() -> None:
    assert (
        without_waiver(b"waivers:  # all\n- id: a\n# foot\n", "a")
        == b"waivers: []  # all\n# foot\n"
    )


@pytest.mark.parametrize(
    "content", [b"waivers: [{id: a}]\n", b"{waivers: []}\n", b"waivers: []\n...\n", b"other: 1\n"]
)
def test_a_form_that_cannot_be_edited_is_refused_with_what_to_write(content: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        with_waiver(content, DROP)
    (problem,) = caught.value.problems
    assert problem.suggestion or problem.expected


WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1)


@settings(max_examples=150, deadline=None)
@given(reason=WORDS, who=WORDS, case=WORDS)
def test_any_text_survives_being_written(reason: str, who: str, case: str) -> None:
    waiver = msgspec.structs.replace(BROKEN, reason=reason, accepted_by=who, cases=(case,))
    after = with_waiver(b"waivers: []\n", waiver)
    assert parse_yaml(after, WAIVERS_FILE).data["waivers"] == [entry_data(waiver)]
    assert without_waiver(after, "w-2").rstrip() == b"waivers: []"


def test_a_long_reason_is_wrapped_and_reads_the_same() -> None:
    long = msgspec.structs.replace(DROP, reason="word " * 60 + "end")
    text = entry_text(long)
    assert max(map(len, text.splitlines())) <= 100
    assert yaml.safe_load(text)[0]["reason"] == long.reason
