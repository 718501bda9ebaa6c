"""The top of the report: how the run came out, in a word and a sentence, and on what evidence."""

from collections import Counter
from collections.abc import Mapping

from evalkit.records.comparison import Comparison, SuiteComparison
from evalkit.records.run import GitState, RunRecord, StoredRun
from evalkit.report.evidence import SCRIPTED_NOTE, origin_words, origins_of, scripted_words
from evalkit.report.figures import count, duration, quantity, usd
from evalkit.report.headline import run_mark, run_reason
from evalkit.report.html.element import Markup, element
from evalkit.report.html.icons import OUTCOME_ICONS, OUTCOME_TONES, icon, outcome_mark
from evalkit.report.html.table import figures_table
from evalkit.report.judging import judges_share
from evalkit.report.marks import MARKS
from evalkit.report.suite_rows import rate_cells

_BY_WORD = {word: outcome for outcome, word in MARKS.items()}
_PLAIN = {
    "live": "live: asked of the model in this run",
    "cache": "from the cache: live answers of earlier runs",
    "recording": "recorded: given by the model earlier; nothing was asked of it in this run",
    "scripted": "scripted. " + SCRIPTED_NOTE,
}


def run_title(record: RunRecord) -> str:
    """What the browser's tab shows."""
    suites = ", ".join(suite.suite for suite in record.suites)
    return f"{run_mark(record)} · {suites} · evalkit"


def verdict_head(run: StoredRun, comparison: Comparison) -> Markup:
    """Word, exit code, sentence, and the facts that a reader asks for first."""
    record = run.record
    word = run_mark(record)
    outcome = _BY_WORD.get(word)
    symbol = "pause" if outcome is None else OUTCOME_ICONS[outcome]
    tone = "odd" if outcome is None else OUTCOME_TONES[outcome]
    code = None
    if record.state != "running":  # what has not ended has no exit code
        code = element("span", f"exit {record.exit_code}", class_="exit-code")
    scripted = scripted_words(origins_of(comparison))
    return element(
        "header",
        element(
            "h1",
            icon(symbol),
            element("span", word, class_="verdict-word"),
            code,
            class_=f"verdict-line tone-{tone}",
        ),
        element(
            "p",
            run_reason(record) if scripted else _sentence(run_reason(record)),
            element("span", f" ({scripted}).", class_="scripted") if scripted else None,
            class_="verdict-reason",
        ),
        element("dl", (_fact(*each) for each in _facts(run, comparison)), class_="facts"),
        class_=f"verdict tone-{tone}",
        id="verdict",
    )


def overview(comparison: Comparison) -> Markup | None:
    """A row for each suite; None where there is one only."""
    if len(comparison.suites) < 2:
        return None
    header = ("suite", "verdict", "before", "after", "change", "b", "c", "cases")
    rows = map(_suite_row, range(len(comparison.suites)), comparison.suites)
    return element(
        "section",
        element("h2", "Suites", id="suites"),
        figures_table("Suites", header, rows, words=(1,), hidden_caption=True),
        element("p", "b: newly failing, c: newly passing.", class_="legend"),
    )


def _suite_row(number: int, suite: SuiteComparison) -> tuple[str, ...]:
    verdict = suite.verdict
    rate = suite.overall
    mark = outcome_mark(verdict.outcome, MARKS[verdict.outcome]) if verdict else "not decided"
    link = element("a", suite.suite, href=f"#suite-{number}")
    figures = (*rate_cells(rate), quantity(rate.b), quantity(rate.c), f"{suite.cases:,}")
    return (link, mark, *figures)


def _sentence(reason: str) -> str:
    return reason if reason.endswith((".", "!", "?", "…")) else f"{reason}."


def _facts(run: StoredRun, comparison: Comparison) -> list[tuple[str, str]]:
    record = run.record
    attempts = f"{count(run.made, 'attempt')} in {duration(record.duration_s)}"
    spent = usd(record.billed_usd)
    if record.budget_usd is not None:
        spent += f" of {usd(record.budget_usd)} allowed"
    spent += judges_share(record)
    return [
        ("Evidence", evidence_sentence(_all_origins(comparison))),
        ("Run", record.id),
        ("Commit", commit_words(record.git)),
        ("Made", attempts),
        ("Spent", spent),
    ]


def _all_origins(comparison: Comparison) -> Counter[str]:
    origins = Counter[str]()
    for side in origins_of(comparison):
        origins.update(side)
    return origins


def evidence_sentence(origins: Mapping[str, int]) -> str:
    """What the replies are that everything rests on, said plainly."""
    if not origins:
        return "No reply was received."
    if len(origins) == 1:
        origin, number = next(iter(origins.items()))
        start = "The reply is" if number == 1 else f"All {number:,} replies are"
        words = f"{start} {_PLAIN.get(origin, origin)}"
        return words if words.endswith(".") else f"{words}."
    scripted = f" {SCRIPTED_NOTE}" if "scripted" in origins else ""
    return f"Replies: {origin_words(origins)}.{scripted}"


def commit_words(git: GitState) -> str:
    """'3f2a1c9d5e6f on fewer-shots, with uncommitted changes'."""
    if not git.sha:
        return "not in a git repository, or before its first commit"
    branch = f" on {git.branch}" if git.branch else ""
    return f"{git.sha[:12]}{branch}" + (", with uncommitted changes" if git.dirty else "")


def _fact(name: str, words: str) -> Markup:
    return element("div", element("dt", name), element("dd", words))
