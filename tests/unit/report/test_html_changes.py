"""What changed in the assets, and the tables of rates and distributions."""

from typing import Any

from msgspec.structs import replace

from evalkit.records.run import StoredRun
from evalkit.report.asset_changes import pair_assets
from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from evalkit.report.html.text_diff import diff_lines, text_diff
from tests.unit.report.html_page import HtmlPage
from tests.unit.report.test_html_document import page_of


def test_versions_of_one_asset_are_a_pair() -> None:
    pairs = pair_assets(
        {"prompts/a/v1.yaml": "1", "routes.a": "r", "models.old": "m"},
        {"prompts/a/v2.yaml": "2", "routes.a": "r", "schemas/new.json": "s"},
    )
    assert [(pair.before, pair.after, pair.changed) for pair in pairs] == [
        ("routes.a", "routes.a", False),
        ("prompts/a/v1.yaml", "prompts/a/v2.yaml", True),
        (None, "schemas/new.json", True),
        ("models.old", None, True),
    ]
    assert [pair.title for pair in pairs[1:]] == [
        "prompt prompts/a/v1.yaml → prompts/a/v2.yaml",
        "schema schemas/new.json, new",
        "model models.old, gone",
    ]


def test_prompts_of_other_names_are_no_pair() -> None:
    pairs = pair_assets({"prompts/a/v1.yaml": "1"}, {"prompts/b/v1.yaml": "1"})
    assert [(pair.before, pair.after) for pair in pairs] == [
        (None, "prompts/b/v1.yaml"),
        ("prompts/a/v1.yaml", None),
    ]


def with_digests(run: StoredRun, **digests: dict[str, str]) -> StoredRun:
    suite = run.record.suites[0]
    variants = tuple(replace(each, digests=digests[each.variant]) for each in suite.variants)
    record = replace(run.record, suites=(replace(suite, variants=variants),))
    return replace(run, record=record)


def test_a_changed_prompt_is_shown_as_a_diff(make_run: Any, regressed: Any) -> None:
    texts = {
        "baseline": {"prompts/routing/v1.yaml": "version: 1\nAnswer in one word.\nparams: {}"},
        "candidate": {"prompts/routing/v2.yaml": "version: 2\nAnswer in one word.\nparams: {}"},
    }
    run, passes = make_run(regressed, snapshot={"texts": texts})
    run = with_digests(
        run,
        baseline={"prompts/routing/v1.yaml": "sha256:a", "routes.routing": "sha256:c"},
        candidate={"prompts/routing/v2.yaml": "sha256:b", "routes.routing": "sha256:c"},
    )
    text = HtmlPage(report_html(run, compare_run(run, passes))).text
    assert "1 of 2 assets differ between baseline and candidate." in text
    assert "− version: 1 + version: 2 Answer in one word. params: {}" in text
    assert "1 asset the same on both sides route and policies routes.routing c" in text


def test_without_the_texts_the_digests_are_named(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    run = with_digests(run, baseline={"routes.a": "sha256:aa"}, candidate={"routes.a": "sha256:bb"})
    text = HtmlPage(report_html(run, compare_run(run, passes))).text
    assert "The texts are not in this bundle. Digest before: aa, after: bb." in text


def test_another_model_is_marked(make_run: Any, regressed: Any) -> None:
    run, passes = make_run(regressed)
    suite = run.record.suites[0]
    candidate = replace(suite.variants[1], models={"big": "big-9b"})
    suite = replace(suite, variants=(suite.variants[0], candidate))
    run = replace(run, record=replace(run.record, suites=(suite,)))
    text = HtmlPage(report_html(run, compare_run(run, passes))).text
    assert "Models: tiny (tiny-135m-q4) big (big-9b)" in text


def test_a_diff_shows_what_surrounds_a_change_and_skips_the_rest() -> None:
    old = [f"line {number}" for number in range(40)]
    new = [*old[:10], "line X", *old[11:30], *old[31:]]
    lines = list(diff_lines(old, new))
    signs = "".join(sign for sign, _ in lines)
    assert signs == "   -+   …   -   "
    assert lines[3] == ("-", (("line ", False), ("10", True)))
    assert lines[4] == ("+", (("line ", False), ("X", True)))


def test_a_text_that_is_too_long_to_match_says_so() -> None:
    long = "\n".join(str(number) for number in range(5_000))
    assert "Too long to compare here: 5,000 lines before, 1 after." in text_diff(
        long, "x", label="prompt"
    )


def test_texts_that_would_take_long_to_match_are_shown_unmatched() -> None:
    old, new = (" ".join(f"{word}{n}" for n in range(2_000)) for word in "ab")
    assert list(diff_lines([old], [new])) == [("-", [(old, False)]), ("+", [(new, False)])]


def test_equal_texts_with_other_digests_are_explained() -> None:
    assert "The texts are the same" in text_diff("a", "a", label="prompt")


def test_failure_modes_are_counted_with_what_they_mean(make_run: Any) -> None:
    page = page_of(make_run, {"a": ((True,), (None,)), "b": ((True,), (True,))})
    assert "timeout No reply came within the time allowed. 0 1" in page.text


def test_a_suite_without_a_baseline_has_one_column(make_run: Any) -> None:
    results = {"a": ((), (True,)), "b": ((), (False,))}
    text = page_of(make_run, results, has_baseline=False).text
    assert "This run candidate prompt routing@v2" in text
    assert "Nothing to compare with: the suite has no baseline." in text
    assert "newly failing" not in text.split("What the gate asked")[1].split("Cases")[0]


def test_distributions_have_their_figures_in_a_table(make_run: Any, regressed: Any) -> None:
    page = page_of(
        make_run,
        regressed,
        attempts={
            ("routing", "baseline", f"case-{number:03}", 1): {"latency_s": number / 10}
            for number in range(1, 121)
        },
        origin="live",
    )
    text = page.text
    assert "Tokens of an attempt baseline candidate" in text
    assert "mean 1,004 404 -59.8 %" in text
    assert "median 6.00 s 250 ms -95.8 %" in text
    assert "largest 12.00 s 250 ms -97.9 %" in text
    labels = [attrs.get("aria-label") or "" for attrs in page.all("svg")]
    assert any(
        label.startswith("Latency of an attempt: baseline median 6.00 s") for label in labels
    )


def test_one_outlier_does_not_press_the_rest_into_a_corner(make_run: Any, regressed: Any) -> None:
    slow = {("routing", "candidate", "case-120", 1): {"latency_s": 900.0}}
    text = page_of(make_run, regressed, origin="live", attempts=slow).text
    assert "1 above " in text
    assert "are not drawn" in text


def test_replayed_latencies_are_not_compared(make_run: Any, regressed: Any) -> None:
    assert "Nothing was measured live" in page_of(make_run, regressed).text
