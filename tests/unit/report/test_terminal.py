"""The first screen after a run: the verdict, why, what broke, and what to type next."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from evalkit.gate import GateSettings
from evalkit.records.case import Case
from evalkit.records.run import RunState
from evalkit.report.comparison import compare_run, compare_runs
from evalkit.report.diff import diff_text
from evalkit.report.screen import Screen, screen_of
from evalkit.report.terminal import run_text
from tests.unit.report.conftest import MakeRun, Results

Sides = dict[str, tuple[Results, Results]]
WIDE, NARROW = Screen(width=100), Screen(width=60)
T, F, N = True, False, None

WIDE_PAGE = """\
FAIL (exit 1)  routing: the pass rate fell 10 pp; less than 3 pp is allowed

routing  FAIL  120 cases of routing@v1, owner ml-platform
                   baseline     candidate   change
  prompt         routing@v1    routing@v2
  models               tiny          tiny
  pass rate          91.7 %        81.7 %   -10 pp
  tokens/case         1,004           404  -59.8 %
  USD/case          $0.0010     $0.000404  -59.8 %
  USD/pass          $0.0011     $0.000495  -54.8 %
  replies      120 recorded  120 recorded

  drop       10 pp; 90 % interval of the drop 5 pp to 15.95 pp; the margin is 3 pp
  cases      b = 14 newly failing, c = 2 newly passing, n = 120 cases; exact p = 0.0021
  can see    a true drop of 8.22 pp or more, in 80 % of runs
  gate       FAIL drop: the pass rate fell 10 pp; less than 3 pp is allowed

  14 regressions, the first 3:
    case-001  passed, now fails  goldensets/routing/v1/cases.jsonl:1
      Where is the invoice of case-001?
      exact: expected "payment", found "wish"
    case-002  passed, now fails  goldensets/routing/v1/cases.jsonl:2
      Where is the invoice of case-002?
      exact: expected "payment", found "wish"
    case-003  passed, now fails  goldensets/routing/v1/cases.jsonl:3
      Where is the invoice of case-003?
      exact: expected "payment", found "wish"

took      240 attempts in 3.2 s, $0 spent of $5.00 allowed
report    .evalkit/runs/20261124T193301Z-3f2a/report.html
next      evalkit diff 20261124T193301Z-3f2a  every case that changed
          evalkit show 20261124T193301Z-3f2a case-001  what it did, cost, and why
"""

NARROW_PAGE = """\
FAIL (exit 1)  routing: the pass rate fell 10 pp; less
  than 3 pp is allowed

routing  FAIL  120 cases of routing@v1, owner ml-platform
                  baseline    candidate  change
  prompt        routing@v1   routing@v2
  models              tiny         tiny
  pass rate         91.7 %       81.7 %  -10 pp
  tokens/case        1,004          404 -59.8 %
  USD/case         $0.0010    $0.000404 -59.8 %
  USD/pass         $0.0011    $0.000495 -54.8 %
  replies     120 recorded 120 recorded

  drop       10 pp; 90 % interval of the drop 5 pp to 15.95
             pp; the margin is 3 pp
  cases      b = 14 newly failing, c = 2 newly passing, n =
             120 cases; exact p = 0.0021
  can see    a true drop of 8.22 pp or more, in 80 % of runs
  gate       FAIL drop: the pass rate fell 10 pp; less than
             3 pp is allowed

  14 regressions, the first 3:
    case-001  passed, now fails
      goldensets/routing/v1/cases.jsonl:1
      Where is the invoice of case-001?
      exact: expected "payment", found "wish"
    case-002  passed, now fails
      goldensets/routing/v1/cases.jsonl:2
      Where is the invoice of case-002?
      exact: expected "payment", found "wish"
    case-003  passed, now fails
      goldensets/routing/v1/cases.jsonl:3
      Where is the invoice of case-003?
      exact: expected "payment", found "wish"

took      240 attempts in 3.2 s, $0 spent of $5.00 allowed
report    .evalkit/runs/20261124T193301Z-3f2a/report.html
next      evalkit diff 20261124T193301Z-3f2a
          evalkit show 20261124T193301Z-3f2a case-001
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the user stands, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_report_that_was_never_written_is_not_named(make_run: MakeRun, project: Path) -> None:
    run, passes = make_run({"a": ((T,), (T,))}, state="running")
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert "report." not in page
    assert "evalkit run --resume 20261124T193301Z-3f2a" in page


@pytest.mark.parametrize(("screen", "expected"), [(WIDE, WIDE_PAGE), (NARROW, NARROW_PAGE)])
def test_the_first_screen_of_a_regression(
    make_run: MakeRun, regressed: Sides, project: Path, screen: Screen, expected: str
) -> None:
    run, passes = make_run(regressed)
    (project / run.path).mkdir(parents=True)
    (project / run.path / "report.html").touch()
    assert run_text(run, compare_run(run, passes), screen=screen) == expected


def test_an_older_bundle_without_a_page_names_its_markdown(
    make_run: MakeRun, regressed: Sides, project: Path
) -> None:
    run, passes = make_run(regressed)
    (project / run.path).mkdir(parents=True)
    (project / run.path / "report.md").touch()
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert f"report    {run.path}/report.md\n" in page


def test_attempts_of_earlier_runs_are_not_said_to_be_made(
    make_run: MakeRun, regressed: Sides
) -> None:
    run, passes = make_run(regressed)
    first, *others = run.attempts
    pooled = msgspec.structs.replace(first, pooled_from="20261101T000000Z-0001")
    run = msgspec.structs.replace(run, attempts=(pooled, *others))
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert f"took      {len(others)} attempts in " in page


def test_quiet_is_the_verdict_line(make_run: MakeRun, regressed: Sides) -> None:
    run, passes = make_run(regressed)
    page = run_text(run, compare_run(run, passes), quiet=True, screen=WIDE)
    assert page == WIDE_PAGE.split("\n", 1)[0] + "\n"


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("width", [40, 72, 73, 74, 75, 76, 110])
def test_quiet_wraps_and_colours_its_line_as_the_whole_page_does(
    make_run: MakeRun, regressed: Sides, width: int, color: bool
) -> None:
    run, passes = make_run(regressed)
    screen = Screen(width=width, color=color)
    page = run_text(run, compare_run(run, passes), quiet=True, screen=screen)
    whole = run_text(run, compare_run(run, passes), screen=screen)
    assert whole.split("\n\n", 1)[0] + "\n" == page


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_every_width_is_kept_but_for_what_is_there_to_be_copied(
    make_run: MakeRun, regressed: Sides, width: int
) -> None:
    case = Case(id="wide", input={"ticket": "漢字" * 80}, expected={"output": "y" * 90})
    run, passes = make_run({"wide": ((T,), (F,)), **regressed}, cases={"wide": case})
    page = run_text(run, compare_run(run, passes), screen=Screen(width=width))
    lines = [line for line in page.splitlines() if not re.match(r"(report|next|  ) {4}", line)]
    assert max(cell_len(line) for line in lines) <= width
    assert "evalkit diff 20261124T193301Z-3f2a" in page


def test_without_colour_there_is_no_control_character(make_run: MakeRun, regressed: Sides) -> None:
    run, passes = make_run(regressed)
    page = run_text(run, compare_run(run, passes), screen=NARROW)
    assert not re.search(r"[^\n\x20-\x7e–→·…⏎]", page)


def test_colour_changes_no_word(make_run: MakeRun, regressed: Sides) -> None:
    run, passes = make_run(regressed)
    comparison = compare_run(run, passes)
    coloured = run_text(run, comparison, screen=Screen(width=100, color=True))
    assert "\x1b[1;31mFAIL\x1b[0m" in coloured
    plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", coloured).split("\n"))
    assert plain == run_text(run, comparison, screen=WIDE)


def test_what_would_settle_an_open_verdict_is_said(make_run: MakeRun) -> None:
    run, passes = make_run({f"c{n}": ((T,), (T,)) for n in range(20)})
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert page.startswith("INCONCLUSIVE (exit 3)  routing: the pass rate did not move; a drop of")
    assert "to settle  At least 88 cases" in page


def test_an_interrupted_run_says_how_to_go_on(make_run: MakeRun) -> None:
    run, passes = make_run({"a": ((T,), (N,))}, state="interrupted", exit_code=130)
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert page.startswith("INTERRUPTED (exit 130)  it was stopped; what was done is kept\n")
    assert "next      evalkit run --resume 20261124T193301Z-3f2a" in page
    assert "evalkit diff" not in page


def test_an_incomplete_run_says_why_even_where_the_gate_had_an_outcome(make_run: MakeRun) -> None:
    run, passes = make_run(
        {f"c{n}": ((T,), (T,)) for n in range(100)},
        exit_code=4,
        record={"state": "incomplete", "why": ("The budget of $5.00 is exhausted.",)},
    )
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert page.startswith("INCOMPLETE (exit 4)  The budget of $5.00 is exhausted\n")


def test_a_run_of_selected_cases_is_no_gate(make_run: MakeRun) -> None:
    why = "Only selected cases ran, which is no gate: nothing was decided."
    run, passes = make_run({"a": ((T,), (T,))}, gates=False, record={"why": (why,)})
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert page.startswith(f"NOT GATED (exit 3)  {why.rstrip('.')}\n")


def test_an_inconclusive_verdict_that_is_let_through_says_so(make_run: MakeRun) -> None:
    settings = GateSettings(max_drop_pp=3, on_inconclusive="warn")
    run, passes = make_run({f"c{n}": ((T,), (T,)) for n in range(20)}, settings=settings)
    page = run_text(run, compare_run(run, passes), screen=Screen(width=110))
    assert page.startswith("INCONCLUSIVE (exit 0)")
    assert "(on_inconclusive: warn makes that exit 0)" in page.replace("\n  ", " ")


def test_scripted_replies_are_called_so_in_the_verdict_line(
    make_run: MakeRun, regressed: Sides
) -> None:
    run, passes = make_run(regressed, origin="scripted")
    page = run_text(run, compare_run(run, passes), quiet=True, screen=WIDE)
    assert page.endswith("(on scripted replies)\n")
    whole = run_text(run, compare_run(run, passes), screen=WIDE)
    assert re.search(r"  models +scripted, for tiny +scripted, for tiny\n", whole)
    partly, partly_passes = make_run(
        regressed, attempts={("routing", "candidate", "case-001", 1): {"origin": "scripted"}}
    )
    page = run_text(partly, compare_run(partly, partly_passes), screen=WIDE)
    assert "(partly on scripted replies)" in page.replace("\n ", "")
    assert "measure no model" in page.replace("\n          ", " ")


def test_cases_without_a_result_are_listed_with_their_error(make_run: MakeRun) -> None:
    run, passes = make_run(
        {**{f"c{n}": ((T,), (T,)) for n in range(200)}, "down": ((T,), (N,))},
    )
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert "  1 case without a result:\n    down  passed, now no result" in page
    assert "      no reply within 60 s\n" in page


def test_a_run_without_a_baseline_shows_one_side(make_run: MakeRun) -> None:
    settings = GateSettings(max_drop_pp=None, min_pass_rate=0.9, has_baseline=False)
    run, passes = make_run(
        {f"c{n}": ((), (n > 3,)) for n in range(10)}, has_baseline=False, settings=settings
    )
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert page.startswith(
        "FAIL (exit 1)  routing: the candidate passes 60.0 %, 90.0 % is required"
    )
    assert "baseline  " not in page
    assert "  4 failing cases, the first 3:\n    c0  fails" in page


STOPPED = """\
  pass rate    100.0 % of 20  95.0 % of 20
  tokens/case          1,004           404
"""


def stopped_after(number: int) -> tuple[Sides, frozenset[Any]]:
    """100 cases that all pass, of which the first fails now; only `number` pairs were made."""
    sides: Sides = {f"c{n:02}": ((T,), (n > 0,)) for n in range(100)}
    gone = {
        ("routing", variant, case, 1)
        for case in list(sides)[number:]
        for variant in ("baseline", "candidate")
    }
    return sides, frozenset(gone)


@pytest.mark.parametrize("state", ["interrupted", "incomplete"])
def test_a_run_that_stopped_early_shows_no_regression_that_nobody_measured(
    make_run: MakeRun, state: RunState
) -> None:
    sides, gone = stopped_after(20)
    run, passes = make_run(sides, missing=gone, state=state, exit_code=4)
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert STOPPED in page
    assert "-80" not in page
    assert "  1 regression:\n    c00  passed, now fails" in page
    assert "  80 cases without a result, never attempted\n" in page


def test_a_run_that_measured_nothing_shows_dashes(make_run: MakeRun) -> None:
    sides, gone = stopped_after(0)
    run, passes = make_run(sides, missing=gone)  # decided: the gate counts all for and against
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    table = page[page.index("  pass rate") : page.index("  replies")].splitlines()
    assert [line.split() for line in table] == [
        ["pass", "rate", "–", "–"],
        ["tokens/case", "–", "–"],
        ["USD/case", "–", "–"],
    ]
    assert "newly failing, c = " not in page
    assert "  gate       INCOMPLETE drop: " in page


def test_figures_that_count_what_is_unknown_against_the_candidate_say_so(
    make_run: MakeRun, regressed: Sides
) -> None:
    sides = {**regressed, "case-120": ((T,), (N,))}
    run, passes = make_run(sides)
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert re.search(r"  pass rate +91.7 %  81.5 % of 119\n", page)
    assert "  drop       10.83 pp at worst, counting what has no result against the " in page
    assert "  cases      at worst b = 15 newly failing, c = 2 newly passing" in page


def test_why_there_is_no_baseline_is_noted_once(make_run: MakeRun) -> None:
    run, passes = make_run({f"c{n}": ((), (T,)) for n in range(9)}, has_baseline=False)
    suite = replace(run.record.suites[0], notes=("no baseline: there is no git history here",))
    noted = replace(run, record=replace(run.record, suites=(suite,)))
    page = run_text(noted, compare_run(noted, passes), screen=WIDE)
    assert page.lower().count("no baseline") == 1
    assert "  note       no baseline: there is no git history here\n" in page


NAMED = "suites.support_triage.target.prompt=support_triage@v1"


@pytest.mark.parametrize("width", [60, 72, 100])
def test_long_names_of_sides_stay_whole_lines_or_are_cut_in_their_middle(
    make_run: MakeRun, width: int
) -> None:
    run, passes = make_run({"a": ((T,), (T,))}, suite="support_triage", origin="scripted")
    old, new = run.record.suites[0].variants
    models = {"gpt-4.1-mini": "gpt-4.1-mini-2025", "claude-3.7-sonnet": "claude-3-7-sonnet"}
    old = replace(old, source=f"working tree with {NAMED}", models=models)
    new = replace(new, prompt=old.prompt, models=models)
    suite = replace(run.record.suites[0], variants=(old, new))
    named = replace(run, record=replace(run.record, suites=(suite,)))
    page = run_text(named, compare_run(named, passes), screen=Screen(width=width))
    table = page[page.index("  prompt") : page.index("  pass rate")]
    assert "suites." not in table
    assert "target.prompt=…@v1" in table
    assert table.count("support_triage@v1") == 2
    if width == 100:
        assert len(table.splitlines()) == 3
        assert "working tree, target.prompt=…@v1" in table


def test_the_run_ids_of_two_sides_are_cut_in_their_middle_where_there_is_no_room(
    make_run: MakeRun,
) -> None:
    a, passes_a = make_run({"x": ((T,), (T,))}, id="20261124T193301Z-3f2a")
    b, passes_b = make_run({"x": ((T,), (T,))}, id="20261124T193302Z-77aa")
    page = diff_text(compare_runs(a, passes_a, b, passes_b), screen=Screen(width=60))
    header = page.split("\n  prompt")[0].splitlines()[-1]
    assert header.split()[-1] == "change"
    assert [each[-4:] for each in header.split()[:2]] == ["3f2a", "77aa"]
    assert all("…" in each for each in header.split()[:2])


def test_a_case_id_is_quoted_in_the_command_that_shows_it(make_run: MakeRun) -> None:
    run, passes = make_run({"two words; rm": ((T,), (F,))})
    page = run_text(run, compare_run(run, passes), screen=WIDE)
    assert "evalkit show 20261124T193301Z-3f2a 'two words; rm'" in page


class Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "screen"),
    [
        (False, {}, Screen(width=100, color=False)),
        (False, {"FORCE_COLOR": "1"}, Screen(width=100, color=True)),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, Screen(width=100, color=False)),
        (True, {"COLUMNS": "72"}, Screen(width=72, color=True)),
        (True, {"COLUMNS": "72", "NO_COLOR": "1"}, Screen(width=72, color=False)),
        (True, {"COLUMNS": "72", "TERM": "dumb"}, Screen(width=72, color=False)),
        (True, {"COLUMNS": "9"}, Screen(width=40, color=True)),
        (True, {"COLUMNS": "400"}, Screen(width=110, color=True)),
        (True, {"COLUMNS": "wide"}, Screen(width=80, color=True)),
    ],
)
def test_the_screen_follows_the_stream_and_the_environment(
    terminal: bool, environ: Mapping[str, str], screen: Screen
) -> None:
    assert screen_of(Stream(terminal), environ) == screen


def test_renderers_import_nothing_heavy_until_they_render() -> None:
    code = (
        "import sys\n"
        "import evalkit.report.terminal, evalkit.report.diff, evalkit.report.show\n"
        "import evalkit.report.plan, evalkit.report.progress, evalkit.report.markdown\n"
        "import evalkit.report.junit, evalkit.report.schema\n"
        "from evalkit.report.structures import diff_values\n"
        "assert diff_values({'a': {'b': 1}}, {'a': {'b': 2}})\n"
        "heavy = {'rich', 'deepdiff', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "print(sorted(heavy))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert done.stdout == "[]\n"
