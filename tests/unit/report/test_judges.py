"""A suite's judges beside its gate: who judged, what it saw, what that is worth, what it took."""

from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.gate import GateSettings
from evalkit.records.calibration import JudgeStanding
from evalkit.records.verdict import Estimate, Outcome, PartVerdict
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.report.diff import diff_markdown, diff_text
from evalkit.report.headline import part_detail, part_reason
from evalkit.report.judges import judge_rows, suite_judge_rows, worse_by_judges
from evalkit.report.judging import judges_share, judging_words
from evalkit.report.markdown import report_markdown
from evalkit.report.run_summary import run_summary
from evalkit.report.screen import Screen
from evalkit.report.suite_rows import scorer_cells
from evalkit.report.terminal import next_commands, run_text
from evalkit.report.verdict import verdict_text
from tests.unit.report.conftest import MakeRun
from tests.unit.report.judged_run import (
    FIT,
    JUDGING,
    Verdicts,
    arm,
    blocked_part,
    floor_part,
    judge_part,
    judged,
    judged_run,
    setting,
    share,
    verdict_of,
)

WIDE = Screen(width=100)
PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
WORSE: Verdicts = {
    "a": (True, False),
    "b": (True, True),
    "c": (False, True),
    "d": (True, "abstained"),
    "e": (True, "error"),
}


def rows_of(*parts: PartVerdict) -> dict[str, str]:
    return {row.label: row.words for row in judge_rows(parts)}


def test_a_judge_that_decided_tells_who_it_is_what_it_saw_and_what_is_left_after_its_errors() -> (
    None
):
    assert rows_of(judge_part()) == {
        "judge": "tone@v1 by gpt-4.1 through route judge; fit: it passes 92.5 % of good outputs "
        "and fails 96.7 % of bad ones, by 240 labels made by a model (not by people)",
        "saw": "80.0 % → 60.0 % pass, of 100 outputs on each side",
        "corrected": "85.0 % → 62.0 %; drop 23 pp; 90 % interval of the drop 12 pp to 34 pp; the "
        "margin is 5 pp; assumed, not checked: it errs alike on both sides",
    }


def test_the_rates_are_left_out_where_their_difference_is_another_than_the_drop() -> None:
    ceiling = judged(baseline=arm(98, corrected=share(1.0)))
    assert rows_of(judge_part(judged=ceiling))["corrected"].startswith("drop 23 pp; ")


def test_what_is_no_verdict_is_told_by_what_it_is() -> None:
    part = judge_part(
        judged=judged(
            baseline=arm(80, 90, abstained=3, refused=1, known_fails=1),
            candidate=arm(60, 90, unparseable=2, errors=4, disagreed=19),
        ),
        unknown=10,
    )
    rows = rows_of(part)
    assert rows["no verdict"] == (
        "3 abstained, 2 unreadable, 1 refused, 4 not judged for an error, of 190 outputs: none of "
        "them counts as a pass; its verdicts differ on 19 of 190 (10.0 %)"
    )
    assert rows["saw"] == (
        "87.9 % → 66.7 % pass, of 91 → 90 outputs; 1 of them gives no answer, which fails without "
        "asking"
    )
    assert (
        "drop 23 pp at worst, with all that has no verdict held against it; " in (rows["corrected"])
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("same", "both sides are the same content, so it favours neither"),
        ("verified", "labels of both sides show no difference in its errors"),
        ("paired", "labels on both outputs of a case correct for whom it favours"),
    ],
)
def test_why_the_judge_may_be_taken_to_err_alike_is_said(found: Any, words: str) -> None:
    corrected = rows_of(judge_part(judged=judged(equal_errors=found, labels=62)))["corrected"]
    assert corrected.endswith(f"{words}; 62 labels on this run's outputs")


def test_of_a_pair_it_is_told_which_side_was_better() -> None:
    pair = judge_part(
        PASS,
        judged=judged(baseline=None, candidate=arm(30, 90), equal_errors="same"),
        estimate=Estimate(drop=-0.02, lower=-0.05, upper=0.01),
    )
    rows = rows_of(pair)
    assert rows["saw"] == "the candidate is the better one in 30 of 90 pairs"
    assert rows["corrected"] == (
        "gain 2 pp; 90 % interval of the drop -5 pp to 1 pp; the margin is 5 pp; each pair is "
        "shown in both orders, so it favours neither side"
    )
    assert part_reason(pair) == (
        "by the judge tone@v1 and corrected for its errors, the candidate's output is the better "
        "one 2 pp more often, and a drop of 5 pp is ruled out"
    )


def test_a_judge_that_cannot_decide_repeats_nothing_of_the_gates_message() -> None:
    rows = rows_of(blocked_part())
    assert rows == {
        "judge": "tone@v1 by gpt-4.1 through route judge; not calibrated",
        "judged": "100 outputs on each side",
    }


@pytest.mark.parametrize(
    ("standing", "words"),
    [("unfit", "not fit to decide"), ("stale", "no longer the judge that was calibrated")],
)
def test_a_judge_that_is_not_fit_is_never_shown_with_its_rates(standing: Any, words: str) -> None:
    found = JudgeStanding(standing=standing, why=("It errs.",), tpr=0.5, tnr=0.5)
    rows = rows_of(blocked_part(judged=judged(standing=found)))
    assert rows["judge"] == f"tone@v1 by gpt-4.1 through route judge; {words}"
    assert "corrected" not in rows


def test_drop_and_floor_of_one_judge_are_one_block() -> None:
    rows = judge_rows([judge_part(), floor_part()])
    assert [row.label for row in rows] == ["judge", "saw", "corrected"]
    assert rows[2].words.startswith("62.0 %, 95 % interval 52.0 % to 72.0 %; drop 23 pp; ")
    assert rows[2].words.endswith("; the floor is 90.0 %")


def test_two_judges_are_two_blocks_under_the_names_of_their_scorers() -> None:
    other = judge_part(name="judge kindness", judged=judged(rubric="tone@v2"))
    words = [row.words for row in judge_rows([judge_part(), other]) if row.label == "judge"]
    assert [each.partition(" by ")[0] for each in words] == ["tone@v1", "kindness, tone@v2"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200"),
        ({"calls": 12}, "6 judgments, 2 shared, 4 asked in 12 calls; 2,000 tokens, $0.0200"),
        (
            {"billed_usd": 0.0},
            "6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200 list price, $0 billed",
        ),
        (
            {"cost_usd": None, "billed_usd": 0.0},
            "6 judgments, 2 shared, 4 asked; 2,000 tokens, no price, $0 billed",
        ),
        (
            {"cost_usd": None, "billed_usd": 0.0, "input_tokens": 0, "output_tokens": 0},
            "6 judgments, 2 shared, 4 new; no tokens, $0",
        ),
    ],
)
def test_what_judging_took_stands_apart(changes: dict[str, Any], words: str) -> None:
    assert judging_words(replace(JUDGING, **changes)) == words


def test_what_was_spent_says_how_much_of_it_judges_took(make_run: MakeRun) -> None:
    run, _ = judged_run(make_run, WORSE, judge_part())
    free, _ = judged_run(make_run, WORSE, judging=replace(JUDGING, billed_usd=0.0))
    without, _ = make_run({"a": ((True,), (True,))})
    assert judges_share(run.record) == ", $0.0200 of it on judges"
    assert judges_share(free.record) == ", judges included"
    assert judges_share(without.record) == ""


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (judge_part(), "the pass rate fell 23 pp; less than 5 pp is allowed"),
        (
            judge_part(OPEN),
            "the pass rate fell 23 pp; a drop of 5 pp is neither shown nor ruled out",
        ),
        (judge_part(PASS, margin=None), "the pass rate fell 23 pp; nothing is required of it"),
        (floor_part(), "the candidate passes 62.0 %, 90.0 % is required"),
        (
            floor_part(OPEN),
            "the candidate passes 62.0 %, 90.0 % is required, and its interval reaches across",
        ),
    ],
)
def test_a_judges_part_has_a_short_reason(part: PartVerdict, words: str) -> None:
    assert part_detail(part) == f"corrected for its errors, {words}"
    assert part_reason(part) == f"by the judge tone@v1 and corrected for its errors, {words}"


def test_a_judge_that_cannot_decide_is_named_in_the_headline() -> None:
    assert part_reason(blocked_part()) == (
        "the judge tone@v1 cannot decide: nobody has measured how often the judge of tone@v1 is "
        "wrong"
    )


def test_the_first_screen_has_the_judge_in_a_few_lines(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    start = page.index("  judge ")
    assert page[start : page.index("took ")].rstrip() == (
        "  judge      tone@v1 by gpt-4.1 through route judge; fit: it passes 92.5 % of good outputs"
        " and fails\n"
        "             96.7 % of bad ones, by 240 labels made by a model (not by people)\n"
        "  saw        80.0 % → 60.0 % pass, of 100 outputs on each side\n"
        "  corrected  85.0 % → 62.0 %; drop 23 pp; 90 % interval of the drop 12 pp to 34 pp; the "
        "margin is 5\n"
        "             pp; assumed, not checked: it errs alike on both sides\n"
        "  now fails  a\n"
        "  judging    6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200\n"
        "  gate       FAIL judge tone: corrected for its errors, the pass rate fell 23 pp; less "
        "than 5 pp is\n"
        "             allowed"
    )
    assert "$0.0300 spent of $5.00 allowed, $0.0200 of it on judges" in page
    assert page.endswith("evalkit show 20261124T193301Z-3f2a a  what it did, cost, and why\n")


def test_a_judge_that_cannot_decide_has_every_reason_on_its_gate_line(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, blocked_part())
    page = " ".join(run_text(run, compare_run(run, passes), screen=WIDE).split())
    assert "INCONCLUSIVE judge tone: Nobody has measured how often" in page
    assert "to settle Measure it: evalkit judge calibrate tone@v1." in page
    assert page.count("gpt-4.1 through route judge, passes 80 %") == 1


def test_a_judge_without_a_part_still_tells_what_it_saw(make_run: MakeRun) -> None:
    run, passes = judged_run(
        make_run,
        WORSE,
        has_baseline=False,
        settings=GateSettings(min_pass_rate=0.1, has_baseline=False, max_drop_pp=None),
    )
    (suite,) = compare_run(run, passes).suites
    assert [(row.label, row.words) for row in suite_judge_rows(suite)] == [
        ("judge", "tone@v1 by gpt-4.1 through route judge"),
        ("saw", "40.0 % of 5 outputs pass, uncorrected; nothing is decided by it here"),
        ("judging", "6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200"),
    ]


def test_a_suite_without_a_judge_has_no_word_of_one(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((True,), (False,))})
    comparison = compare_run(run, passes)
    assert suite_judge_rows(comparison.suites[0]) == []
    for page in (
        run_text(run, comparison, screen=WIDE),
        report_markdown(run, comparison),
        run_summary(run, comparison, screen=WIDE),
        diff_text(comparison, screen=WIDE),
    ):
        assert "judg" not in page


def test_the_scorer_table_says_that_a_judge_decides_apart(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    comparison = compare_run(run, passes)
    row = scorer_cells(comparison.suites[0])[-1]
    assert row == (
        "tone (judge, decides apart) (1 error)",
        "5",
        "80.0 %",
        "40.0 %",
        "-40 pp",
        "3",
        "1",
    )
    assert "tone (judge, decides apart)" in diff_text(comparison, screen=WIDE)
    assert "`tone (judge, decides apart) (1 error)`" in diff_markdown(comparison)


@pytest.mark.parametrize(
    "changes",
    [{"gate": False}, {"margin_pp": None}],
    ids=["gate: false", "no margin and no floor"],
)
def test_a_judge_that_requires_nothing_is_advisory(
    make_run: MakeRun, changes: dict[str, Any]
) -> None:
    run, passes = judged_run(make_run, WORSE, judges=[setting(**changes)])
    assert scorer_cells(compare_run(run, passes).suites[0])[-1][0].startswith(
        "tone (judge, advisory)"
    )


def test_what_has_no_verdict_is_not_newly_failing(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    (suite,) = compare_run(run, passes).suites
    assert suite.scorers[-1].newly_failing == ("a",)
    assert list(worse_by_judges(suite)) == [
        ("tone", "a", "judge tone passes it less often than before")
    ]


def test_of_a_pair_the_cases_are_named_in_which_the_candidate_is_worse(make_run: MakeRun) -> None:
    pair = setting()
    pair = replace(pair, rubric=replace(pair.rubric, compare="pair"))
    run, passes = judged_run(make_run, {"a": (True, False), "b": (True, True)}, judges=[pair])
    scores = tuple(
        replace(each, state="not_applicable", passed=None)
        if each.kind == "judge" and each.variant == "baseline"
        else each
        for each in run.scores
    )
    (suite,) = compare_run(replace(run, scores=scores), passes).suites
    rows = {row.label: row.cases for row in suite_judge_rows(suite)}
    assert rows["is worse"] == ("a",)


def test_many_newly_failing_cases_are_counted(make_run: MakeRun) -> None:
    said: Verdicts = {f"c{number}": (True, False) for number in range(9)}
    run, passes = judged_run(make_run, said, judge_part())
    rows = {row.label: row for row in suite_judge_rows(compare_run(run, passes).suites[0])}
    assert rows["now fails"].words == "c0, c1, c2, c3, c4 and 4 more"
    assert len(rows["now fails"].cases) == 9


def test_a_case_that_broke_is_what_to_look_at_before_what_a_judge_fails(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    broken = dict(passes) | {("routing", "candidate", "b", 1): False}
    commands = [command for command, _ in next_commands(run.record, compare_run(run, broken))]
    assert commands[-1] == "evalkit show 20261124T193301Z-3f2a b"


def test_judges_of_two_runs_are_compared_without_what_either_spent(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    (suite,) = compare_runs(run, passes, run, passes).suites
    assert suite.judging is None
    assert suite.scorers[-1].judge == "tone@v1 by gpt-4.1 through route judge"


def test_markdown_has_the_same_rows(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    page = report_markdown(run, compare_run(run, passes))
    for line in (
        "- **FAIL** `judge tone`: corrected for its errors, the pass rate fell 23 pp; less than "
        "5 pp is allowed",
        "- saw: 80.0 % → 60.0 % pass, of 100 outputs on each side",
        "- now fails: a",
        "- judging: 6 judgments, 2 shared, 4 asked; 2,000 tokens, \\$0.0200",
    ):
        assert f"{line}\n" in page
    assert "\\$0.0300 spent, \\$0.0200 of it on judges. Next" in page


def test_the_summary_of_a_run_has_its_judges_beside_both_sides(make_run: MakeRun) -> None:
    run, passes = judged_run(make_run, WORSE, judge_part())
    page = run_summary(run, compare_run(run, passes), screen=WIDE)
    assert "\n  judges\n    judge      tone@v1 by gpt-4.1" in page
    assert "\n    judging    6 judgments, 2 shared, 4 asked; 2,000 tokens, $0.0200\n" in page


def test_a_verdict_alone_has_its_judge_without_the_cases() -> None:
    page = verdict_text(verdict_of(judge_part()), screen=WIDE)
    assert "  saw        80.0 % → 60.0 % pass, of 100 outputs on each side\n" in page
    assert "judging" not in page


def test_words_of_a_rubric_are_made_safe_to_show(make_run: MakeRun) -> None:
    hostile = judged(asked="a\x1b[31m judge\nwith lines", standing=FIT)
    run, passes = judged_run(make_run, WORSE, judge_part(judged=hostile))
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert "\x1b" not in page
    assert "a\\x1b[31m judge ⏎ with lines" in page
