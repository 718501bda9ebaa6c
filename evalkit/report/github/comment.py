"""The one comment on a pull request, which each run updates in place."""

import re

from evalkit.report.github.document import COMMENT_LIMIT, Ending, document
from evalkit.report.github.stamp import Stamp
from evalkit.report.github.subject import Subject


def comment_body(
    subject: Subject,
    stamp: Stamp,
    *,
    title: str = "evalkit",
    ending: Ending | None = None,
    limit: int = COMMENT_LIMIT,
) -> str:
    """The comment, always shorter than GitHub's limit; its first line is the stamp's marker."""
    return document(subject, limit=limit - 1, title=title, first=stamp.marker, ending=ending)


def stamp_of(subject: Subject, *, key: str, ci: int | None = None, attempt: int = 1) -> Stamp:
    """The stamp of a run under a key. `ci` and `attempt` are CI's number of it, if it has one."""
    return Stamp(
        key=key,
        run=_word(subject.id),
        at=_word(subject.at),
        ci=ci,
        attempt=attempt,
        suites=subject.suites,
        exit_code=0 if subject.green else subject.exit_code or 3,
    )


def _word(text: str) -> str:
    """The text as one word that cannot end an HTML comment."""
    return re.sub(r"-{2,}", "-", re.sub(r"[^\w.:+-]", "_", text))[:80] or "-"
