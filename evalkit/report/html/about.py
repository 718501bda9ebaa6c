"""The rest of what a run says about itself: why, how it was started, under which settings."""

import msgspec

from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.report.figures import duration
from evalkit.report.html.element import Markup, element
from evalkit.report.html.head import commit_words
from evalkit.report.structures import encode
from evalkit.report.terminal import next_commands


def about_run(run: StoredRun, comparison: Comparison) -> Markup:
    """The last section."""
    record = run.record
    changes = ", ".join(f"{key}={encode(value)}" for key, value in record.changes.items())
    rows = [
        ("Run", f"{record.id}, {record.state}, evalkit {record.evalkit}"),
        ("Started", f"{record.started_at}, took {duration(record.duration_s)}"),
        ("Command", "evalkit " + " ".join(record.command) if record.command else ""),
        ("Commit", commit_words(record.git)),
        ("Changes", changes),
        ("Baseline", record.baseline or ""),
        ("Stopped", record.stopped or ""),
    ]
    pairs = (
        element("div", element("dt", name), element("dd", words)) for name, words in rows if words
    )
    return element(
        "section",
        element("h2", "This run", id="run"),
        element("dl", pairs, class_="pairs"),
        _why(run),
        (_settings(run, suite.suite) for suite in comparison.suites),
        _next(run, comparison),
    )


def _why(run: StoredRun) -> Markup | None:
    if not run.record.why:
        return None
    reasons = element("ul", (element("li", reason) for reason in run.record.why))
    if run.record.verdict is not None:  # the requirements above say the same
        return element("details", element("summary", "Why it came out so"), reasons)
    return element("div", element("h3", "Why it came out so"), reasons)


def _settings(run: StoredRun, suite: str) -> Markup | None:
    snapshot = run.snapshot(suite)
    if snapshot is None:
        return None
    settings = {"gate": snapshot.gate, "scorers": snapshot.scorers}
    text = msgspec.json.format(msgspec.json.encode(settings), indent=2).decode()
    summary = element("summary", f"Gate and scorers of {suite}")
    return element("details", summary, element("pre", text))


def _next(run: StoredRun, comparison: Comparison) -> Markup:
    items = [
        element("li", element("code", command), f" {purpose}")
        for command, purpose in next_commands(run.record, comparison)
    ]
    return element("div", element("h3", "What to type next"), element("ul", items))
