"""The report files of a bundle, all from one stored run."""

from evalkit.records.comparison import Comparison
from evalkit.records.run import StoredRun
from evalkit.report.arms import Arms
from evalkit.report.comparison import compare_arms
from evalkit.report.html import html_pieces
from evalkit.report.junit import junit_of_arms
from evalkit.report.markdown import report_markdown
from evalkit.store.bundle import Bundle
from evalkit.store.keeping import Keeping
from evalkit.workflows.deciding import table_of


def compared(run: StoredRun) -> Comparison:
    """Baseline against candidate; `StoredRun.once` holds it."""
    return compare_arms(run, run.once(_arms_of))


def _arms_of(run: StoredRun) -> Arms:
    outcomes = run.once(table_of).outcomes
    return Arms(run, outcomes.passes, outcomes.modes)


def write_reports(bundle: Bundle, run: StoredRun, keeping: Keeping | None = None) -> None:
    """Write report.md, report.html and junit.xml; with `keeping` they are there once that is waited
    for."""
    comparison = run.once(compared)
    page = html_pieces(run, comparison, traces=bundle.decisions_at)
    bundle.write_report("report.html", page, keeping)
    bundle.write_report("report.md", report_markdown(run, comparison), keeping)
    bundle.write_report("junit.xml", junit_of_arms(run, run.once(_arms_of)), keeping)
