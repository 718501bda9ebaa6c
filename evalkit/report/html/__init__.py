"""`report.html`: a run as one file that a browser shows without a network."""

from evalkit.report.html.document import report_html, write_html

__all__ = ["report_html", "write_html"]
