"""The page of a job: the report that needs no permission and is there for forks too."""

from evalkit.report.github.budget import utf8_bytes
from evalkit.report.github.document import Ending, document
from evalkit.report.github.subject import Subject

SUMMARY_LIMIT_BYTES = 1024 * 1024
"""What all commands of one step may write together; GitHub shows nothing of a longer one."""

LEAST_BYTES = 8_000
_MOST_CASES = 50


def summary_text(
    subject: Subject, *, room_bytes: int, title: str = "evalkit", ending: Ending | None = None
) -> str | None:
    """The summary in at most `room_bytes` of UTF-8; None where there is too little room for one."""
    if room_bytes < LEAST_BYTES:
        return None
    text = document(
        subject,
        limit=room_bytes - 1,
        title=title,
        cases=_MOST_CASES,
        ending=ending,
        measure=utf8_bytes,
    )
    return f"\n{text}"
