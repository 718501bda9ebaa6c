"""`report.html`: a run as one file that a browser shows without a network."""

from evalkit.report.html.document import html_pieces, report_html

__all__ = ["html_pieces", "report_html"]
