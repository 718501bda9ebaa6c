"""The whole document: head, sections, data and script, in the order in which they are written.

The file may be opened from disk or served from anywhere, and asks nobody for anything: its policy
allows its own two scripts and its own styles, by their digests, and nothing else.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from evalkit._version import __version__
from evalkit.records.attempt import Place
from evalkit.records.call import Decision
from evalkit.records.comparison import ChangeKind, Comparison, SuiteComparison
from evalkit.records.run import StoredRun
from evalkit.report.html.about import about_run
from evalkit.report.html.broken_cases import broken_cases
from evalkit.report.html.case_data import CaseData, FindTraces
from evalkit.report.html.changes import asset_changes
from evalkit.report.html.distribution import distributions
from evalkit.report.html.element import Markup, element, join
from evalkit.report.html.explorer import cut_note, explorer, help_dialog
from evalkit.report.html.head import overview, run_title, verdict_head
from evalkit.report.html.icons import icon, sprite
from evalkit.report.html.notices import notices
from evalkit.report.html.page_files import (
    content_policy,
    early_script,
    page_script,
    page_style,
)
from evalkit.report.html.rates import rates
from evalkit.report.html.requirements import suite_section

_SECTIONS = (
    ("gate", "Gate"),
    ("cases", "Cases"),
    ("rates", "Rates"),
    ("cost", "Cost and latency"),
    ("assets", "What changed"),
    ("run", "Run"),
)


def report_html(
    run: StoredRun, comparison: Comparison, *, traces: Mapping[Place, Sequence[Decision]] = {}
) -> str:
    """The report of `run` as one HTML document, in which every text is made safe to show.

    `comparison` is `compare_run`'s of the same run. `traces` has the decisions of each attempt; of
    one that is not in it those that the attempt itself kept are shown. UTF-8 can encode all of it.
    """
    return "".join(html_pieces(run, comparison, traces=lambda cases: traces))


def html_pieces(run: StoredRun, comparison: Comparison, *, traces: FindTraces) -> Iterator[str]:
    """`report_html`, piece by piece; `traces` is asked once, for the cases that are shown."""
    yield '<!doctype html>\n<html lang="en">\n'
    yield _head(run)
    yield "\n<body>\n"
    yield join(sprite(), _bar(run))
    yield '\n<main id="main">\n'
    data = CaseData(run, comparison, traces)
    for section in _sections(run, comparison, data.left_out):
        yield section
        yield "\n"
    yield "</main>\n"
    yield help_dialog()
    yield _data("case-index", data.index())
    for number, chunk in enumerate(data.chunks()):
        yield _data(f"cases-{number}", chunk)
    yield f"\n<script>{page_script()}</script>\n</body>\n</html>\n"


def _head(run: StoredRun) -> Markup:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=content_policy()),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="generator", content=f"evalkit {__version__}"),
        element("title", run_title(run.record)),
        # without it a browser asks the server for /favicon.ico
        element("link", rel="icon", href="data:,"),
        Markup(f"<style>{page_style()}</style><script>{early_script()}</script>"),
    )


def _bar(run: StoredRun) -> Markup:
    links = (element("a", title, href=f"#{name}") for name, title in _SECTIONS)
    return join(
        element("a", "Skip to the report", href="#main", class_="skip"),
        element(
            "div",
            element("a", "evalkit", href="#verdict", class_="brand", title=run.record.id),
            element("nav", links, aria_label="Sections"),
            element(
                "button",
                icon("theme"),
                element("span", "Theme: ", class_="unseen"),
                element("span", id="theme-name"),
                type="button",
                id="theme",
            ),
            element("button", "Keys", element("kbd", "?"), type="button", id="help-open"),
            class_="topbar",
        ),
    )


def _sections(
    run: StoredRun, comparison: Comparison, left_out: Mapping[ChangeKind, int]
) -> Iterator[Markup]:
    suites = comparison.suites
    yield verdict_head(run, comparison)
    for section in (notices(run, comparison), overview(comparison)):
        if section is not None:
            yield section
    yield _section(
        "gate", "What the gate asked", list(map(suite_section, range(len(suites)), suites))
    )
    cut = cut_note(run, comparison, left_out)
    listed = [explorer(), broken_cases(comparison)]
    yield _section("cases", "Cases", [_no_script(), *([cut] if cut else []), *listed])
    yield _by_suite("rates", "Pass rates", suites, rates)
    yield _by_suite(
        "cost", "Tokens, cost and latency", suites, lambda suite: distributions(run, suite)
    )
    yield _by_suite("assets", "What changed", suites, lambda suite: asset_changes(run, suite))
    yield about_run(run, comparison)


def _section(name: str, title: str, content: Sequence[Markup]) -> Markup:
    return element("section", element("h2", title, id=name), content, class_=f"section-{name}")


def _by_suite(
    name: str,
    title: str,
    suites: Sequence[SuiteComparison],
    show: Callable[[SuiteComparison], Markup],
) -> Markup:
    """The section with a part for each suite, named where there are several."""
    named = len(suites) > 1
    parts = [
        element("div", element("h3", suite.suite) if named else None, show(suite))
        for suite in suites
    ]
    return _section(name, title, parts)


def _no_script() -> Markup:
    words = (
        "Scripts do not run here, so there is no list to filter. What broke is listed below; "
        "evalkit diff and evalkit show have every case."
    )
    return element("noscript", element("p", words, class_="about"))


def _data(name: str, text: str) -> Markup:
    return Markup(f'\n<script type="application/json" id="{name}">{text}</script>')
