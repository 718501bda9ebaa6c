"""Trends and flaky cases on a terminal: narrow, without colour, without blocks."""

import io
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import pytest
from rich.cells import cell_len

from evalkit.config.yaml_document import parse_yaml
from evalkit.records.history import FlakyCases, HistoryView, Trend, TrendPoint
from evalkit.records.run import Flake
from evalkit.records.verdict import Outcome
from evalkit.report.flaky import flaky_text
from evalkit.report.history import history_json, history_text
from evalkit.report.screen import Screen
from evalkit.report.sparkline import ASCII, BLOCKS, glyphs_of, sparkline

WIDE, NARROW = Screen(width=100), Screen(width=60)


def point(number: int, value: float | None, **changes: Any) -> TrendPoint:
    return TrendPoint(
        **{
            "run": f"20261124T{number:02}0000Z-00ab",
            "at": f"2026-11-24T{number:02}:00:00+00:00",
            "sha": f"{number:02}23456789abcdef",
            "branch": "main",
            "value": value,
            "outcome": Outcome.PASS,
            **changes,
        }
    )


def trend(values: Sequence[float | None], **changes: Any) -> Trend:
    points = tuple(point(number, value) for number, value in enumerate(values))
    return Trend(
        **{"suite": "ask", "metric": "pass_rate", "slice": None, "points": points} | changes
    )


def text(*trends: Trend, screen: Screen = WIDE, runs: int = 0, **more: Any) -> str:
    view = HistoryView(trends=trends, runs=runs)
    return history_text(view, screen=screen, glyphs=more.pop("glyphs", BLOCKS), **more)


def rows(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if line.startswith("  2026")]


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([0.9, 0.9, 0.9], "▅▅▅"),
        ([0.0, None, 1.0], "▁·█"),
        ([None, None], "··"),
        ([], ""),
        ([9.0, 0.0, 0.5, 1.0], "▁▅█"),
    ],
)
def test_a_sparkline_spans_the_values_that_fit(values: list[float | None], line: str) -> None:
    assert sparkline(values, width=8 if len(values) != 4 else 3) == line


def test_a_sparkline_has_a_form_of_plain_characters() -> None:
    assert sparkline([0, 1, None, 7], width=9, glyphs=ASCII) == "_.?#"
    assert len(ASCII.levels) == len(BLOCKS.levels)
    assert (ASCII.levels + ASCII.missing + "".join(ASCII.plain.values())).isascii()
    assert sparkline([1.0], width=0) == ""


class Terminal(io.StringIO):
    def __init__(self, encoding: str | None, *, terminal: bool = True) -> None:
        super().__init__()
        self._encoding = encoding
        self._terminal = terminal

    @property
    def encoding(self) -> str | None:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("stream", "environ", "glyphs"),
    [
        (Terminal("utf-8"), {"TERM": "xterm-256color"}, BLOCKS),
        (Terminal("utf-8"), {}, BLOCKS),
        (Terminal("iso8859-1"), {"TERM": "xterm"}, ASCII),
        (Terminal("ascii"), {"TERM": "xterm"}, ASCII),
        (Terminal(None), {}, ASCII),
        (Terminal("no such encoding"), {}, ASCII),
        (Terminal("utf-8"), {"TERM": "linux"}, ASCII),
        (Terminal("utf-8"), {"TERM": "dumb"}, ASCII),
        (Terminal("utf-8", terminal=False), {"TERM": "dumb"}, BLOCKS),
    ],
)
def test_blocks_are_drawn_where_the_terminal_has_them(
    stream: Terminal, environ: dict[str, str], glyphs: object
) -> None:
    assert glyphs_of(stream, environ) is glyphs


def test_a_suite_shows_its_line_and_its_runs_newest_last() -> None:
    shown = text(trend([0.5, 0.75, 0.7]), runs=12)
    assert "ask  the last 3 of 12 runs" in shown
    assert "▁█▇" in shown
    assert [line.split() for line in rows(shown)] == [
        ["20261124T000000Z-00ab", "2026-11-24", "0023456", "main", "PASS", "50.0", "%"],
        [
            "20261124T010000Z-00ab",
            "2026-11-24",
            "0123456",
            "main",
            "PASS",
            "75.0",
            "%",
            "+25",
            "pp",
        ],
        ["20261124T020000Z-00ab", "2026-11-24", "0223456", "main", "PASS", "70.0", "%", "-5", "pp"],
    ]


def test_what_changed_stands_below_its_run() -> None:
    points = (
        point(1, 0.5),
        point(2, 0.4, changed=("commit abc", "prompt ask@v1 → ask@v2", "gate")),
        point(3, 0.4, changed=("commit def",)),
    )
    lines = text(trend([], points=points)).splitlines()
    index = next(number for number, line in enumerate(lines) if "T02" in line)
    assert lines[index + 1] == "    prompt ask@v1 → ask@v2; gate"
    assert "T03" in lines[index + 2]


@pytest.mark.parametrize(
    ("metric", "values", "change"),
    [
        ("tokens", (100.0, 110.0), "+10.0 %"),
        ("cost_usd", (0.5, 0.25), "-50.0 %"),
        ("latency_s", (0.5, 0.5), "="),
        ("guardrail_rate", (0.1, 0.12), "+2 pp"),
        ("tokens", (0.0, 5.0), "5"),
        ("pass_rate", (None, 0.5), "50.0 %"),
        ("pass_rate", (0.5, None), "–"),
    ],
)
def test_a_change_is_in_the_unit_of_its_metric(
    metric: str, values: tuple[float | None, float | None], change: str
) -> None:
    last = rows(text(trend(values, metric=metric)))[-1]
    assert last.endswith(f" {change}")


def test_worse_is_red_whichever_way_it_goes() -> None:
    color = Screen(width=100, color=True)
    red, green = "\x1b[31m", "\x1b[32m"
    assert f"{red}-5 pp" in text(trend([0.5, 0.45]), screen=color)
    assert f"{green}+5 pp" in text(trend([0.5, 0.55]), screen=color)
    assert f"{red}+5 pp" in text(trend([0.5, 0.55], metric="guardrail_rate"), screen=color)
    assert f"{red}+10.0 %" in text(trend([10.0, 11.0], metric="tokens"), screen=color)


def test_several_series_are_lines_and_the_first_has_the_runs() -> None:
    shown = text(
        trend([0.5, 0.6]),
        trend([0.1, 0.2], slice="odd"),
        trend([None, None], metric="latency_s"),
    )
    assert "slice odd" in shown and "not measured  latency_s" in shown
    assert len(rows(shown)) == 2
    assert rows(shown)[-1].split()[-4:] == ["60.0", "%", "+10", "pp"]


def test_several_suites_have_no_runs_and_say_how_to_see_them() -> None:
    shown = text(trend([0.5]), trend([0.6], suite="other"), runs=9)
    assert rows(shown) == []
    assert "evalkit history SUITE" in shown
    assert "other  1 run\n" in shown


def test_uncommitted_changes_are_marked_and_the_mark_is_explained() -> None:
    shown = text(
        trend([], points=(point(1, 0.5, dirty=True), point(2, 0.5, sha=None, branch=None)))
    )
    assert "0123456+" in shown and "no git" in shown
    assert "+ with uncommitted changes" in shown
    assert "uncommitted" not in text(trend([0.5]))


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_page_fits_its_screen_without_a_control_character(width: int) -> None:
    changed = ("prompt a-long-name@v1 → a-long-name@v2", "model " + "m" * 30, "gate", "scorers")
    points = tuple(
        point(number, number / 100, branch="feature/with-a-long-name", changed=changed, dirty=True)
        for number in range(24)
    )
    shown = text(
        trend([], points=points), trend([], points=points, slice="s"), screen=Screen(width)
    )
    widest = max(cell_len(line) for line in shown.splitlines())
    assert widest <= max(width, 56)  # an id, an outcome and two figures take that much
    assert "\x1b" not in shown


def test_a_narrow_page_has_the_place_of_a_run_below_it() -> None:
    lines = text(trend([0.5]), screen=NARROW).splitlines()
    index = next(number for number, line in enumerate(lines) if line.startswith("  2026"))
    assert lines[index + 1] == "    2026-11-24  0023456  main"


def test_a_page_for_a_plain_terminal_is_plain() -> None:
    points = (point(1, None), point(2, 0.5, branch="a" * 40, changed=("prompt a → b",)))
    assert text(trend([], points=points), glyphs=ASCII).isascii()


def test_names_cannot_reach_the_terminal() -> None:
    evil = "x\x1b[2J\u202e"
    points = (point(1, 0.5, branch=evil, changed=(f"model {evil}",)),)
    shown = text(
        trend([], points=points, suite=evil), trend([], points=points, suite=evil, slice=evil)
    )
    assert "\x1b" not in shown and "\u202e" not in shown
    assert "\\x1b[2J" in shown


def test_an_empty_history_says_what_makes_one() -> None:
    assert "No finished run is stored yet" in text()
    assert "of suite ask on branch b" in text(suite="ask", branch="b")


def test_json_is_the_view() -> None:
    view = HistoryView(trends=(trend([0.5, None]),), runs=2, flaky={"ask": ({"case": "a"},)})
    assert msgspec.json.decode(history_json(view), type=HistoryView) == view


def flaky(*flakes: Flake, **changes: Any) -> FlakyCases:
    return FlakyCases(
        **{
            "suite": "ask",
            "content": "sha256:1",
            "cases": 100,
            "enough": 100,
            "most": 7,
            "flaky": flakes,
            "quarantined": (),
            "room": 2,
            **changes,
        }
    )


def shown_flaky(found: FlakyCases, width: int = 100) -> str:
    return flaky_text(found, today=date(2026, 11, 24), screen=Screen(width))


A = Flake(case="a", runs=6, passes=3)
B = Flake(case="b: {x}", runs=6, passes=5)
C = Flake(case="c", runs=60, passes=59)


def test_flaky_cases_come_with_a_block_to_paste() -> None:
    shown = shown_flaky(flaky(A, B))
    assert "of 100 cases, 100 were measured 5 times or more; 2 of those passed sometimes" in shown
    block = shown[shown.index("suites:") :]
    suite = parse_yaml(block.encode(), "evalkit.yaml").data["suites"]["ask"]
    assert suite["quarantine"]["cases"] == {
        "a": {
            "until": "2026-12-08",
            "reason": "passed 3 of 6 measurements of an unchanged baseline",
        },
        "b: {x}": {
            "until": "2026-12-08",
            "reason": "passed 5 of 6 measurements of an unchanged baseline",
        },
    }


def test_a_block_has_no_more_than_a_quarantine_may_hold() -> None:
    shown = shown_flaky(flaky(A, B, C))
    assert "has room for 2 cases" in " ".join(shown.split())
    assert '"c":' not in shown
    full = shown_flaky(flaky(A, B, C, quarantined=("c", "d"), room=0))
    assert "has no room" in full and "suites:" not in full
    assert "in quarantine" in full
    done = shown_flaky(flaky(C, quarantined=("c",), room=1))
    assert "All of them are in quarantine already." in done


def test_too_few_measurements_are_no_steadiness() -> None:
    assert "none can be called flaky before that" in shown_flaky(flaky(enough=0, most=4))
    assert "measured 4 times at most" in shown_flaky(flaky(enough=0, most=4))
    assert "passed always or never" in shown_flaky(flaky())
    assert "nothing is known" in shown_flaky(flaky(content=None))


def test_a_case_cannot_become_yaml_or_an_escape() -> None:
    evil = 'x": {}\n        y\x1b[2J'
    shown = shown_flaky(flaky(Flake(case=evil, runs=6, passes=3), suite="a b"))
    assert "\x1b" not in shown
    block = shown[shown.index("suites:") :]
    assert list(parse_yaml(block.encode(), "f").data["suites"]["a b"]["quarantine"]["cases"]) == [
        evil
    ]
