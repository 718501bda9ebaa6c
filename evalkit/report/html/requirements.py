"""What the gate asked of a suite: how each requirement came out, and the looks that were taken."""

from collections.abc import Iterable
from urllib.parse import quote

from evalkit.records.comparison import SuiteComparison
from evalkit.records.verdict import Look, Outcome, PartVerdict, SuiteVerdict
from evalkit.report.figures import count
from evalkit.report.headline import part_detail
from evalkit.report.html.element import Markup, element
from evalkit.report.html.icons import KIND_ICONS, KIND_TONES, icon, outcome_mark
from evalkit.report.html.kinds import KIND_ORDER, kind_label
from evalkit.report.html.plot import interval_plots
from evalkit.report.html.table import figures_table
from evalkit.report.judges import JudgeRow, suite_judge_rows
from evalkit.report.marks import MARKS
from evalkit.report.suite_block import is_brief
from evalkit.report.suite_rows import drop_rows
from evalkit.report.untrusted import one_line

_MOST_CASES = 40


def suite_section(number: int, suite: SuiteComparison) -> Markup:
    """The suite's outcome, its plot, its requirements, and how many cases moved which way."""
    verdict = suite.verdict
    mark = None if verdict is None else outcome_mark(verdict.outcome, MARKS[verdict.outcome])
    owner = f", owner {suite.owner}" if suite.owner else ""
    about = f"{count(suite.cases, 'case')} of {suite.golden}{owner}"
    return element(
        "article",
        element("h3", suite.suite, " ", mark, id=f"suite-{number}"),
        element("p", about, class_="about"),
        kind_counts(number, suite),
        None if verdict is None else interval_plots(verdict),
        _undecided() if verdict is None else _requirements(verdict),
        None if verdict is None else _looks(verdict.looks),
        _judges(suite),
        class_="suite",
    )


def _judges(suite: SuiteComparison) -> Markup | None:
    """Who judged, what it saw, what that is worth, and what judging took; None without a judge."""
    rows = suite_judge_rows(suite)
    if not rows:
        return None
    pairs = (
        element("div", element("dt", row.label), element("dd", _judge_words(row, suite.suite)))
        for row in rows
    )
    several = sum(row.label == "judge" for row in rows) > 1
    return element(
        "div",
        element("h4", "Judges" if several else "The judge"),
        element("dl", pairs, class_="pairs"),
        class_="judges",
    )


def _judge_words(row: JudgeRow, suite: str) -> Iterable[str]:
    """The words; cases as links to them."""
    if not row.cases:
        return [row.words]
    shown = row.cases[:_MOST_CASES]
    links = [element("a", case, href=f"#case={_key(suite, case)}") for case in shown]
    more = len(row.cases) - len(shown)
    spaced = [child for link in links for child in (link, " ")]
    return [*spaced, f"and {more:,} more"] if more else spaced


def _key(suite: str, case: str) -> str:
    """What the page's script knows a case by, in an address."""
    return quote(f"{one_line(suite)}/{one_line(case)}", safe="")


def kind_counts(number: int, suite: SuiteComparison) -> Markup:
    """How many cases changed in which way; each is a link that filters the list of cases."""
    items = []
    for kind in KIND_ORDER:
        cases = suite.counts.get(kind, 0)
        if not cases and kind not in ("regression", "fix", "same"):
            continue
        if suite.before is None and kind in ("regression", "fix"):
            continue
        link = element(
            "a",
            element("b", f"{cases:,}"),
            icon(KIND_ICONS[kind]),
            element("span", kind_label(kind, alone=suite.before is None)),
            href="#cases",
            data_kind=kind,
            data_suite=number,
            class_=f"count tone-{KIND_TONES[kind]}" + ("" if cases else " empty"),
        )
        items.append(element("li", link))
    return element("ul", items, class_="counts", aria_label=f"Cases of {suite.suite} by outcome")


def _undecided() -> Markup:
    return element("p", "Nothing was decided about this suite.", class_="about")


def _requirements(verdict: SuiteVerdict) -> Markup:
    # what changed the gate itself is read before what the gate says
    parts = sorted(verdict.parts, key=lambda part: part.kind not in ("guard", "waiver"))
    return element(
        "ul",
        (_requirement(part, verdict) for part in parts),
        class_="parts",
        aria_label=f"Requirements of {verdict.suite}",
    )


def _requirement(part: PartVerdict, verdict: SuiteVerdict) -> Markup:
    words = part_detail(part) if is_brief(part) else part.message
    remarks = [] if part.required else ["advisory"]
    remarks += [f"owner {part.owner}"] if part.owner and part.owner != verdict.owner else []
    return element(
        "li",
        element(
            "div",
            outcome_mark(part.outcome, MARKS[part.outcome]),
            element("span", "accepted", class_="flag") if part.waiver else None,
        ),
        element(
            "div",
            element(
                "p",
                element("b", part.name),
                element("small", f" {', '.join(remarks)}") if remarks else None,
                element("span", f" {words}"),
            ),
            _figures(part, verdict.unknown),
            _broken_cases(part),
            _settle(part),
            class_="part-body",
        ),
        class_="part",
    )


def _figures(part: PartVerdict, unknown: int) -> Markup | None:
    if part.kind not in ("drop", "anchor", "slice_drop"):
        return None
    rows = drop_rows(part, unknown=unknown)
    if not rows:
        return None
    pairs = (element("div", element("dt", what), element("dd", words)) for what, words in rows)
    if part.kind == "drop":
        return element("dl", pairs, class_="pairs")
    return element("details", element("summary", "Figures"), element("dl", pairs, class_="pairs"))


def _broken_cases(part: PartVerdict) -> Markup | None:
    if not part.cases:
        return None
    more = len(part.cases) - _MOST_CASES
    named: Iterable[Markup] = (element("code", case) for case in part.cases[:_MOST_CASES])
    return element(
        "p",
        "Cases: ",
        [child for each in named for child in (each, " ")],
        f"and {more:,} more" if more > 0 else None,
        class_="named",
    )


def _settle(part: PartVerdict) -> Markup | None:
    settled = part.outcome is Outcome.PASS or part.waiver is not None
    if settled or not part.what_would_settle:
        return None
    return element("p", element("b", "To settle it: "), part.what_would_settle, class_="settle")


def _looks(looks: Iterable[Look]) -> Markup | None:
    """The looks of a gate that escalated; the last one decided."""
    rows = [
        (
            str(number),
            f"{look.trials:,}",
            f"{100 * look.alpha:g} %",
            "not taken"
            if look.outcome is None
            else outcome_mark(look.outcome, MARKS[look.outcome]),
        )
        for number, look in enumerate(looks, start=1)
    ]
    if not rows:
        return None
    header = ("look", "trials a case", "error an end", "outcome")
    return figures_table("Looks taken, the last of which decides", header, rows, words=(3,))
