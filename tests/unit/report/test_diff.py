"""`evalkit diff`: worst first, both answers, the tables; on a terminal and as JSON."""

import json
import re
from typing import Any

import pytest
from rich.cells import cell_len

from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.report.diff import diff_json, diff_markdown, diff_text
from evalkit.report.screen import Screen
from tests.unit.report.conftest import MakeRun, Results
from tests.unit.report.test_markup import HOSTILE

Sides = dict[str, tuple[Results, Results]]
WIDE, NARROW = Screen(width=100), Screen(width=60)
T, F, N = True, False, None


def test_the_diff_of_a_run(make_run: MakeRun) -> None:
    cases = {
        "lost": Case(
            id="lost",
            input={"ticket": "I was charged twice."},
            expected={"output": "payment"},
            tags=("short",),
        )
    }
    run, passes = make_run(
        {"lost": ((T,), (F,)), "found": ((F,), (T,)), "down": ((T,), (N,)), "bad": ((F,), (F,))},
        cases=cases,
    )
    text = diff_text(compare_run(run, passes), screen=WIDE)
    assert (
        """  Regressions: 1

  lost  passed, now fails  goldensets/routing/v1/cases.jsonl:1
    input     ticket: I was charged twice.
    expected  output: payment
    before    payment
    after     wish
    broke     exact: expected "payment", found "wish"
    cost      $0.0010 → $0.000404 · 1,004 → 404 tokens · tiny (recording)
    tags      short

  Without a result: 1

  down  passed, now no result  goldensets/routing/v1/cases.jsonl:3
    input     ticket: Where is the invoice of down?
    expected  output: payment
    before    payment
    after     state: no result: timeout: no reply within 60 s
    cost      $0.0010 → – · 1,004 → 0 tokens · tiny (recording) → no call

  Fixes: 1
"""
        in text
    )
    assert (
        """  Failing as before: 1 (--all shows them)
  Unchanged: 0 of 4 cases pass on both sides.

  Slices
  slice        cases   before        after   change  b  c
  all cases  4 (1 ?)   50.0 %  33.3 % of 3           1  1
  short            1  100.0 %        0.0 %  -100 pp  1  0
  b: newly failing, c: newly passing; ?: no result on a side; rates are over what has one

  Scorers
  scorer  applied  before   after  change  b  c
  exact         3  50.0 %  33.3 %          1  1
"""
        in text
    )
    assert text.index("Regressions") < text.index("Without a result") < text.index("Fixes")


def test_all_shows_every_case_and_without_it_the_rest_is_named(make_run: MakeRun) -> None:
    run, passes = make_run({f"case-{n:02}": ((T,), (F,)) for n in range(15)})
    comparison = compare_run(run, passes)
    short, whole = (
        diff_text(comparison, screen=WIDE),
        diff_text(comparison, all_cases=True, screen=WIDE),
    )
    assert "Regressions: 15, the first 10" in short
    assert "5 more (--all shows them): case-10, case-11, case-12, case-13, case-14" in short
    assert short.count("broke ") == 10
    assert "Regressions: 15\n" in whole
    assert whole.count("broke ") == 15
    assert diff_markdown(comparison).count("<summary><code>case-") == 10
    assert diff_markdown(comparison, all_cases=True).count("<summary><code>case-") == 15


def structured(make_run: MakeRun, before: Any, after: Any, **changes: Any) -> str:
    attempts = {
        ("routing", "baseline", "a", 1): {"parsed": before, "output": json.dumps(before)},
        ("routing", "candidate", "a", 1): {
            "parsed": after,
            "output": json.dumps(after),
            **changes,
        },
    }
    run, passes = make_run({"a": ((T,), (F,))}, attempts=attempts)
    return diff_text(compare_run(run, passes), screen=WIDE)


def test_structured_outputs_show_only_the_fields_that_differ(make_run: MakeRun) -> None:
    text = structured(
        make_run,
        {"intent": "refund", "fields": {"amount": 12, "order": None}, "reply": "We will look."},
        {"intent": "login", "fields": {"amount": 12}, "reply": "We did look."},
    )
    assert (
        """    before    intent: "refund"
              fields.order: null
              reply: "We [-will-] look."
    after     intent: "login"
              fields.order: absent
              reply: "We {+did+} look."
"""
        in text
    )
    assert "amount: 12" not in text


def test_many_differing_fields_are_counted_past_the_first(make_run: MakeRun) -> None:
    before = {f"f{n}": n for n in range(30)}
    text = structured(make_run, before, {f"f{n}": -n - 1 for n in range(30)})
    assert "f11: 11" in text
    assert "f12" not in text
    assert "(18 more places differ)" in text


def test_a_structure_nested_too_deeply_is_compared_as_text(make_run: MakeRun) -> None:
    def nested(end: str) -> Any:
        value: Any = end
        for _ in range(900):
            value = [value]
        return value

    assert "same" in structured(make_run, nested("same"), nested("other"))


def test_tool_calls_show_what_only_one_side_called(make_run: MakeRun) -> None:
    refund = ToolCall(name="refund", arguments={"order": "A-1"})
    text = structured(make_run, {"a": 1}, {"a": 1}, tool_calls=(refund,))
    assert "    before    tool call: none\n" in text
    assert '    after     tool call: refund({"order": "A-1"})\n' in text


def test_a_block_names_its_rule(make_run: MakeRun) -> None:
    text = structured(
        make_run,
        {"a": 1},
        None,
        state="blocked",
        rule="policies.disallow_actions",
        error="refund_customer is never allowed",
        output=None,
    )
    assert "state: answered" in text
    assert "state: blocked by policies.disallow_actions: refund_customer is never allowed" in text


def test_equal_outputs_are_shown_once(make_run: MakeRun) -> None:
    a, passes_a = make_run({"a": ((T,), (T,))}, id="run-a", outputs={"a": ("x", "the same words")})
    b, passes_b = make_run({"a": ((T,), (F,))}, id="run-b", outputs={"a": ("x", "the same words")})
    text = diff_text(compare_runs(a, passes_a, b, passes_b), screen=WIDE)
    assert "    both said the same words\n" in text


def test_flips_say_how_often_each_side_passed(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T, F, T), (F, T, T))})
    text = diff_text(compare_run(run, passes), screen=WIDE)
    assert "Flips within trials: 1" in text
    assert "a  2 of 3 passed before, 2 of 3 passed after" in text


def test_two_runs_name_what_only_one_has(make_run: MakeRun) -> None:
    a, passes_a = make_run({"x": ((T,), (T,)), "old": ((T,), (T,))}, id="run-a")
    b, passes_b = make_run({"x": ((T,), (T,)), "new": ((T,), (T,))}, id="run-b")
    comparison = compare_runs(a, passes_a, b, passes_b)
    text, markdown = diff_text(comparison, screen=WIDE), diff_markdown(comparison)
    assert text.startswith("run-a → run-b\n")
    assert "  only before 1 case, not counted: old\n" in text
    assert "Nothing changed: 1 of 1 cases pass on both sides." in text
    assert "only after, not counted: `new`" in markdown


def test_json_holds_every_change(make_run: MakeRun) -> None:
    run, passes = make_run({f"c{n}": ((T,), (F,)) for n in range(30)})
    value = json.loads(diff_json(compare_run(run, passes)))
    assert value["schema"] == "evalkit.diff/1"
    assert len(value["suites"][0]["changes"]) == 30
    assert value["verdict"]["exit_code"] == run.record.exit_code


@pytest.mark.parametrize("screen", [WIDE, NARROW, Screen(width=60, color=True)])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_text_of_a_model_reaches_the_terminal_unescaped(
    make_run: MakeRun, screen: Screen, hostile: str
) -> None:
    text = f"\x1b[2J\x1b]0;title\x07\r\x9b31m \u202e {hostile}"
    case = Case(id=text, input={text: text}, expected={"output": text}, tags=(text,))
    run, passes = make_run(
        {text: ((T,), (F,))}, cases={text: case}, outputs={text: (f"a {text}", f"b {text}")}
    )
    page = diff_text(compare_run(run, passes), screen=screen)
    without_colour = re.sub(r"\x1b\[[0-9;]*m", "", page) if screen.color else page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u2028]", without_colour)


def test_no_line_is_wider_than_the_screen(make_run: MakeRun, regressed: Sides) -> None:
    case = Case(
        id="wide", input={"ticket": "漢字" * 80, "note": "x" * 300}, expected={"output": "y" * 90}
    )
    run, passes = make_run({"wide": ((T,), (F,)), **regressed}, cases={"wide": case})
    page = diff_text(compare_run(run, passes), all_cases=True, screen=NARROW)
    assert max(cell_len(line) for line in page.splitlines()) <= 60


def test_a_case_that_neither_side_was_asked_is_counted_and_shown_only_when_asked_for(
    make_run: MakeRun,
) -> None:
    gone = frozenset({("routing", variant, "a", 1) for variant in ("baseline", "candidate")})
    run, passes = make_run({"a": ((T,), (T,)), "b": ((T,), (N,))}, missing=gone)
    comparison = compare_run(run, passes)
    page = diff_text(comparison, screen=WIDE)
    assert "  Without a result: 2, 1 of them never attempted, the first 1\n\n  b  " in page
    assert "  1 more (--all shows them): a\n" in page
    page = diff_text(comparison, all_cases=True, screen=WIDE)
    assert "  a  no result on either side  " in page
    assert "    both      never attempted\n" in page


def test_what_no_side_was_asked_is_one_line(make_run: MakeRun) -> None:
    places = {("routing", variant, "a", 1) for variant in ("baseline", "candidate")}
    run, passes = make_run({"a": ((T,), (T,))}, missing=frozenset(places))
    comparison = compare_run(run, passes)
    assert "  Without a result: 1, never attempted (--all shows them)\n" in diff_text(
        comparison, screen=WIDE
    )
    assert "#### Without a result: 1, never attempted\n" in diff_markdown(comparison)


def test_a_run_without_a_baseline_is_not_called_a_comparison(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((), (F,))}, has_baseline=False)
    comparison = compare_run(run, passes)
    page = diff_text(comparison, screen=WIDE)
    assert "\ncandidate, without a baseline\n" in page
    assert "→" not in page
    markdown = diff_markdown(comparison)
    assert markdown.startswith("## evalkit diff `candidate`, without a baseline\n")
    assert "|  | `candidate` |\n" in markdown
