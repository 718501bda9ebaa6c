"""The report files of a bundle, all from one stored run."""

from evalkit.records.outcomes import Outcomes
from evalkit.records.run import StoredRun
from evalkit.report.comparison import compare_run
from evalkit.report.html import html_pieces
from evalkit.report.junit import junit_pieces
from evalkit.report.markdown import report_markdown
from evalkit.store.bundle import Bundle


def write_reports(bundle: Bundle, run: StoredRun, outcomes: Outcomes) -> None:
    """Write report.md, report.html and junit.xml."""
    passes, modes = outcomes.passes, outcomes.modes
    comparison = compare_run(run, passes, modes)
    bundle.write_report("report.html", html_pieces(run, comparison, traces=bundle.decisions_at))
    bundle.write_report("report.md", report_markdown(run, comparison))
    bundle.write_report("junit.xml", junit_pieces(run, passes, modes))
