"""The report files of a bundle, all from one stored run."""

from collections.abc import Mapping

from evalkit.records.attempt import Place
from evalkit.records.run import StoredRun
from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from evalkit.report.junit import junit_xml
from evalkit.report.markdown import report_markdown
from evalkit.store.bundle import Bundle
from evalkit.workflows.failing import modes_of


def write_reports(bundle: Bundle, run: StoredRun, passes: Mapping[Place, bool | None]) -> None:
    """Write report.md, report.html and junit.xml."""
    modes = modes_of(run)
    comparison = compare_run(run, passes, modes)
    traces = {trace.place: trace.decisions for trace in bundle.traces()}
    bundle.write_report("report.html", report_html(run, comparison, traces=traces))
    bundle.write_report("report.md", report_markdown(run, comparison))
    bundle.write_report("junit.xml", junit_xml(run, passes, modes))
