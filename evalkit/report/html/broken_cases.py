"""What broke, as plain HTML: for paper, and for a browser that runs no script."""

from collections.abc import Iterable, Sequence

from evalkit.records.comparison import CaseChange, Comparison, SuiteComparison
from evalkit.report.case_block import cost_words, finding_words, mapping_lines, trial_words
from evalkit.report.html.effort import Effort
from evalkit.report.html.element import Markup, element
from evalkit.report.html.icons import KIND_ICONS, KIND_TONES, icon
from evalkit.report.html.kinds import kind_label
from evalkit.report.output_diff import Line, OutputDiff, diff_sides, say
from evalkit.report.sections import was_attempted
from evalkit.report.untrusted import clip

_MOST = 50
_MOST_NAMED = 500
_MOST_INPUT = 600
_MOST_OUTPUT = 1_200


def broken_cases(comparison: Comparison) -> Markup:
    """The cases that broke, worst first: some in full, more by name."""
    effort = Effort()
    sections = [_suite(suite, effort) for suite in comparison.suites]
    return element("div", sections, class_="static-cases")


def _suite(suite: SuiteComparison, effort: Effort) -> Markup:
    changes = _broken(suite)
    title = element("h3", f"{suite.suite}: {len(changes):,} broke")
    rest = changes[_MOST:]
    named = element("p", "Also: ", _names(rest)) if rest else None
    return element(
        "div", title, (_entry(change, suite, effort) for change in changes[:_MOST]), named
    )


def _broken(suite: SuiteComparison) -> Sequence[CaseChange]:
    if suite.before is None:
        return suite.of_kind("failing", "flip", "error")
    return suite.of_kind("regression", "error")


def _names(changes: Sequence[CaseChange]) -> str:
    names = ", ".join(change.case for change in changes[:_MOST_NAMED])
    more = len(changes) - _MOST_NAMED
    return f"{names} and {more:,} more" if more > 0 else names


def _entry(change: CaseChange, suite: SuiteComparison, effort: Effort) -> Markup:
    label = kind_label(change.kind, alone=suite.before is None)
    asked = "\n".join(text for _, text in mapping_lines("input", change.input))
    expected = "\n".join(text for _, text in mapping_lines("expected", change.expected))
    rows: list[tuple[str, Markup | str]] = [
        ("asked", clip(asked, _MOST_INPUT)),
        ("expected", clip(expected, _MOST_INPUT)),
    ]
    if was_attempted(change):
        rows += _said(change, effort)
        rows += [("broke", finding_words(each)) for each in change.findings if each.fresh]
        rows += [("also wrong", finding_words(each)) for each in change.findings if not each.fresh]
        rows.append(("cost", cost_words(change)))
    if change.place:
        rows.append(("in", change.place))
    pairs = (element("div", element("dt", what), element("dd", words)) for what, words in rows)
    return element(
        "div",
        element(
            "h4",
            element(
                "span", icon(KIND_ICONS[change.kind]), class_=f"tone-{KIND_TONES[change.kind]}"
            ),
            f" {change.case} ",
            element("small", f"{label}: {trial_words(change)}"),
        ),
        element("dl", pairs, class_="pairs"),
        class_="static-case",
    )


def _said(change: CaseChange, effort: Effort) -> list[tuple[str, Markup | str]]:
    shown = _differences(change, effort)
    if shown.equal:
        return [("both said", _lines(shown.after, "span"))]
    if change.before is None:
        return [("said", _lines(shown.after, "span"))]
    return [("before", _lines(shown.before, "del")), ("after", _lines(shown.after, "ins"))]


def _differences(change: CaseChange, effort: Effort) -> OutputDiff:
    before, after = change.before, change.after
    if before is not None and not effort.allows(before.output or "", after.output or ""):
        return OutputDiff(say(before), say(after))
    return diff_sides(before, after)


def _lines(lines: Iterable[Line], name: str) -> Markup:
    shown = []
    for line in lines:
        parts = [
            element(name, clip(text, _MOST_OUTPUT))
            if changed and line.partly
            else clip(text, _MOST_OUTPUT)
            for text, changed in line.segments
        ]
        path = element("small", f"{line.path}: ") if line.path else None
        shown.append(element("div", path, parts, dir="auto"))
    return element("div", shown, class_="said")
