"""The frame that the page's script fills with cases: filters, list, detail, and the help."""

from collections.abc import Mapping

from evalkit.records.comparison import ChangeKind, Comparison
from evalkit.records.run import StoredRun
from evalkit.report.html.element import Markup, element
from evalkit.report.html.icons import icon
from evalkit.report.html.kinds import kind_label

_KEYS = (
    ("j k", "next and previous case, from anywhere"),
    ("↓ ↑ PgDn PgUp Home End", "move in the list, when it has the focus"),
    ("Enter", "read the case: moves the focus into it"),
    ("Esc", "back to the list; in the search: clear it"),
    ("/", "search"),
    ("t", "theme: system, light, dark"),
    ("?", "this help"),
)
_SELECTS = (
    ("suite", "Suite"),
    ("tag", "Slice"),
    ("scorer", "Not passed by"),
    ("mode", "Failure mode"),
    ("order", "Order"),
)


def explorer() -> Markup:
    """Filters, list and detail; shown where scripts run."""
    return element(
        "div",
        _filters(),
        element("div", _list_pane(), _detail_pane(), class_="panes"),
        id="explorer",
        class_="explorer",
    )


def cut_note(
    run: StoredRun, comparison: Comparison, left_out: Mapping[ChangeKind, int]
) -> Markup | None:
    """What is not on the page and how it is seen; None where every case is."""
    if not left_out:
        return None
    alone = all(suite.before is None for suite in comparison.suites)
    cases = sum(suite.cases for suite in comparison.suites)
    shown = cases - sum(left_out.values())
    kinds = ", ".join(f"{n:,} {kind_label(kind, alone=alone)}" for kind, n in left_out.items())
    return element(
        "p",
        element("strong", f"This page lists {shown:,} of the run's {cases:,} cases."),
        f" Left out: {kinds}. The figures of the report are over all cases. ",
        element("code", f"evalkit show {run.record.id} CASE"),
        " shows any of them, and everything that changed is in ",
        element("code", f"evalkit diff {run.record.id} --all"),
        ".",
        class_="about",
        id="cut",
    )


def _filters() -> Markup:
    search = element(
        "input",
        type="search",
        id="filter-search",
        placeholder="id, text, output, message",
        autocomplete="off",
        spellcheck="false",
    )
    return element(
        "form",
        element("label", element("span", "Search"), search, class_="field search"),
        (
            element(
                "label",
                element("span", title),
                element("select", id=f"filter-{name}"),
                class_="field",
            )
            for name, title in _SELECTS
        ),
        element("div", id="filter-kinds", class_="kinds", role="group", aria_label="Outcome"),
        element(
            "div",
            element("p", id="found", role="status"),
            element("button", "Clear filters", type="reset", id="filter-reset"),
            class_="found",
        ),
        id="filters",
        class_="filters",
        role="search",
        aria_label="Filter cases",
    )


def _list_pane() -> Markup:
    rows = element("div", id="rows", role="presentation")
    return element(
        "div",
        element(
            "div",
            element("div", rows, id="list-length", role="presentation"),
            id="list",
            role="listbox",
            tabindex=0,
            aria_label="Cases",
        ),
        element("p", "No case matches these filters.", id="nothing", class_="about", hidden=True),
        class_="list-pane",
    )


def _detail_pane() -> Markup:
    return element(
        "div",
        element(
            "div",
            element("button", icon("back"), "List", type="button", id="back"),
            element("span", id="position"),
            element("button", icon("back"), "Previous", type="button", id="previous"),
            element("button", "Next", icon("forth"), type="button", id="next"),
            class_="case-bar",
        ),
        element("div", id="detail", class_="detail", role="region", aria_label="Case", tabindex=0),
        class_="detail-pane",
    )


def help_dialog() -> Markup:
    """What the keys do."""
    rows = (
        element(
            "div",
            element("dt", (element("kbd", key) for key in keys.split(" "))),
            element("dd", words),
        )
        for keys, words in _KEYS
    )
    return element(
        "dialog",
        element("h2", "Keys", id="help-title"),
        element("dl", rows, class_="keys"),
        element("button", "Close", type="button", id="help-close"),
        id="help",
        aria_labelledby="help-title",
    )
