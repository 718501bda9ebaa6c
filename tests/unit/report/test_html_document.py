"""report.html as a document: whole, alone, and deaf to what models wrote."""

import base64
import hashlib
import itertools
import re
from typing import Any

import pytest

from evalkit.records.call import Decision, ToolCall
from evalkit.records.case import Case
from evalkit.report.comparison import compare_run
from evalkit.report.html import html_pieces, report_html
from tests.unit.report.html_page import HtmlPage

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "[a](javascript:alert(1)) **bold** ![i](https://example.com/a.png)",
    "\u202eevil\u2066 \u200b",
    "a\x00b\x1b[31mred\x1b[0m\x07",
    "]]> &lt; &amp; \" ' ` --!>",
    "\ud800 half a pair",
    "</style></title></textarea></noscript><base href=//example.com>",
    "{{ constructor.constructor('alert(1)')() }}",
)


def page_of(make_run: Any, results: Any, **spec: Any) -> HtmlPage:
    run, passes = make_run(results, **spec)
    return HtmlPage(report_html(run, compare_run(run, passes)))


def hostile_spec(text: str) -> dict[str, Any]:
    """A run in which every text that others wrote is `text`."""
    place = ("routing", "candidate", "case-001", 1)
    kept = text.encode("utf-8", "replace").decode()  # no file of cases holds half a pair
    decision = Decision(
        act="complete", outcome="denied", rule=text, message=text, at=text, data={text: text}
    )
    return {
        "outputs": {"case-001": (text, text + text)},
        "cases": {
            "case-001": Case(
                id="case-001", input={kept: kept}, expected={kept: [kept]}, tags=(kept,), group=kept
            )
        },
        "attempts": {
            place: {
                "error": text,
                "rule": text,
                "tool_calls": (ToolCall(name=text, arguments={text: text}),),
                "decisions": (decision,),
                "model": text,
                "finish_reason": text,
            }
        },
        "record": {"warnings": (text,), "command": ("run", text)},
        "snapshot": {
            "owner": text,
            "golden": text,
            "golden_path": text,
            "texts": {"baseline": {"a": text}, "candidate": {"a": text + text}},
        },
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_what_others_wrote_changes_no_element(make_run: Any, regressed: Any, text: str) -> None:
    harmless = page_of(make_run, regressed, **hostile_spec("harmless"))
    page = page_of(make_run, regressed, **hostile_spec(text))
    # differences are marked, so there may be more or fewer of these; nothing else may change
    marks = {"ins", "del", "mark"}

    def shape(page: HtmlPage) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attrs)) for tag, attrs in page.elements if tag not in marks]

    assert shape(page) == shape(harmless)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_browser_would_obey_is_left_in_a_text(
    make_run: Any, regressed: Any, text: str
) -> None:
    run, passes = make_run(regressed, **hostile_spec(text))
    document = report_html(run, compare_run(run, passes))
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", document
    )
    assert document.encode("utf-8")


def test_a_hostile_text_is_shown_as_what_it_is(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed, **hostile_spec("<img src=x onerror=alert(1)>\u202e\x1b"))
    detail = page.details()[0]
    shown = "<img src=x onerror=alert(1)>\\u202e\\x1b"
    assert detail["sides"][0]["attempts"][0]["output"] == shown
    assert detail["input"] == [[shown, shown]]
    assert shown in page.text


def test_the_document_needs_nothing_from_anywhere(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    assert [attrs for _, attrs in page.elements if "src" in attrs] == []
    links = [attrs["href"] for _, attrs in page.elements if "href" in attrs]
    assert links
    assert all(link == "data:," or (link or "").startswith("#") for link in links)
    styles = [text for attrs, text in page.raw if "@media" in text and not attrs.get("type")]
    assert styles
    assert "@import" not in styles[0] and "url(" not in styles[0].replace("url(#hatch)", "")


def test_its_policy_allows_its_own_scripts_and_styles_by_digest_and_nothing_else(
    make_run: Any, regressed: Any
) -> None:
    page = page_of(make_run, regressed)
    policy = next(
        attrs["content"]
        for attrs in page.all("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    code = [text for attrs, text in page.raw if not attrs.get("type")]
    digests = {
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in code
    }
    assert len(digests) == 3
    assert set(re.findall(r"'sha256-[^']+'", policy or "")) == digests
    assert "default-src 'none'" in (policy or "")
    assert "unsafe" not in (policy or "")
    assert [attrs for _, attrs in page.elements if "style" in attrs] == []
    assert [name for _, attrs in page.elements for name in attrs if name.startswith("on")] == []


def test_ids_are_unique_and_links_lead_somewhere(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {(attrs["href"] or "")[1:] for attrs in page.all("a") + page.all("use")}
    assert targets <= set(ids)


def test_headings_do_not_skip_a_level(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    steps = itertools.pairwise(levels)
    assert all(after <= before + 1 for before, after in steps)


def test_written_in_pieces_it_is_the_same_document(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    comparison = compare_run(run, passes)
    pieces = list(html_pieces(run, comparison, traces=lambda cases: {}))
    assert len(pieces) > 10
    assert "".join(pieces) == report_html(run, comparison)


def test_the_same_run_gives_the_same_document(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    assert report_html(run, compare_run(run, passes)) == report_html(run, compare_run(run, passes))


@pytest.mark.parametrize(
    ("results", "spec"),
    [
        ({"a": ((), (True,)), "b": ((), (False,))}, {"has_baseline": False}),
        ({"a": ((True,), (True,))}, {}),
        ({"a": ((True, False), (False, None)), "b": ((True, True), (True, True))}, {}),
        ({"a": ((None,), (None,))}, {}),
        ({"a": ((True,), (False,))}, {"gates": False, "exit_code": 3}),
        ({"a": ((True,), (False,))}, {"state": "interrupted", "exit_code": 4}),
        ({"a": ((True,), (False,))}, {"state": "running", "exit_code": 4}),
        (
            {"a": ((True,), (False,)), "b": ((True,), (True,))},
            {
                "state": "incomplete",
                "exit_code": 4,
                "missing": frozenset({("routing", "candidate", "b", 1)}),
            },
        ),
        ({"a": ((True,), (False,))}, {"origin": "live"}),
        ({}, {"gates": False, "exit_code": 3}),
    ],
    ids=[
        "floors only",
        "nothing changed",
        "several trials",
        "no result at all",
        "not gated",
        "interrupted",
        "running",
        "incomplete",
        "live",
        "no cases",
    ],
)
def test_every_kind_of_run_gives_a_whole_document(make_run: Any, results: Any, spec: Any) -> None:
    page = page_of(make_run, results, **spec)
    assert page.data("case-index")["cases"] is not None
    assert len(page.details()) == len(results)
    assert "evalkit" in page.text


def test_a_run_of_several_suites_names_each(make_run: Any, regressed: Any) -> None:
    import msgspec

    one, passes = make_run(regressed)
    other, more = make_run({"x": ((True,), (False,))}, suite="answers")
    verdict = one.record.verdict
    record = msgspec.structs.replace(
        one.record,
        suites=(*one.record.suites, *other.record.suites),
        verdict=msgspec.structs.replace(
            verdict, suites=(*verdict.suites, *other.record.verdict.suites)
        ),
    )
    run = msgspec.structs.replace(
        one,
        record=record,
        snapshots=(*one.snapshots, *other.snapshots),
        attempts=(*one.attempts, *other.attempts),
        scores=(*one.scores, *other.scores),
    )
    page = HtmlPage(report_html(run, compare_run(run, passes | more)))
    assert [suite["name"] for suite in page.data("case-index")["suites"]] == ["routing", "answers"]
    assert {"#suite-0", "#suite-1"} <= {attrs["href"] for attrs in page.all("a")}
    assert len(page.details()) == len(regressed) + 1


def test_without_scripts_what_broke_is_listed_with_its_differences(
    make_run: Any, regressed: Any
) -> None:
    page = page_of(make_run, regressed, outputs={"case-001": ("the red fox", "the blue fox")})
    assert "Scripts do not run here" in page.text
    assert "routing: 14 broke" in page.text
    assert "case-014" in page.text
    assert page.all("del") and page.all("ins")
