"""The top of report.html: the verdict in a word, a code and a sentence, and what it rests on."""

from typing import Any

import pytest

from evalkit.records.run import GitState
from evalkit.report.comparison import compare_run
from evalkit.report.evidence import SCRIPTED_NOTE
from evalkit.report.headline import run_reason
from evalkit.report.html.head import commit_words, evidence_sentence
from tests.unit.report.test_html_document import page_of


def test_a_failed_run_says_so_with_its_code_and_why(make_run: Any, regressed: Any) -> None:
    run, _ = make_run(regressed)
    page = page_of(make_run, regressed)
    assert f"FAIL exit 1 {run_reason(run.record)}." in page.text
    assert page.text.startswith("FAIL · routing · evalkit")


def test_a_run_without_a_verdict_is_called_not_gated(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed, gates=False, exit_code=3)
    assert "NOT GATED exit 3" in page.text
    assert "Nothing was decided about this suite." in page.text


def test_a_run_under_way_has_no_exit_code(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed, state="running", exit_code=4)
    assert "RUNNING it is under way" in page.text
    assert "exit 4" not in page.text


def test_commit_run_and_money_are_named(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed)
    assert "Commit 3f2a1c9d5e6f on fewer-shots" in page.text
    assert "Run 20261124T193301Z-3f2a" in page.text
    assert "Spent $0 of $5.00 allowed" in page.text


@pytest.mark.parametrize(
    ("origins", "words"),
    [
        ({"live": 12}, "All 12 replies are live: asked of the model in this run."),
        ({"recording": 1}, "The reply is recorded: given by the model earlier;"),
        ({"scripted": 4}, f"All 4 replies are scripted. {SCRIPTED_NOTE}"),
        ({"live": 3, "cache": 2}, "Replies: 3 live, 2 from the cache."),
        ({"live": 3, "scripted": 2}, f"Replies: 3 live, 2 scripted. {SCRIPTED_NOTE}"),
        ({}, "No reply was received."),
    ],
)
def test_the_evidence_is_said_plainly(origins: dict[str, int], words: str) -> None:
    assert evidence_sentence(origins).startswith(words)


def test_scripted_evidence_stands_beside_the_verdict(make_run: Any, regressed: Any) -> None:
    page = page_of(make_run, regressed, origin="scripted")
    assert "is allowed (on scripted replies)." in page.text
    assert SCRIPTED_NOTE in page.text


def test_a_commit_tells_whether_the_tree_was_clean() -> None:
    assert commit_words(GitState(sha="abcdef0123456789", branch="main", dirty=True)) == (
        "abcdef012345 on main, with uncommitted changes"
    )
    assert commit_words(GitState()).startswith("not in a git repository")


def test_several_suites_get_an_overview_and_one_gets_none(make_run: Any, regressed: Any) -> None:
    from evalkit.report.html.head import overview

    run, passes = make_run(regressed)
    assert overview(compare_run(run, passes)) is None
