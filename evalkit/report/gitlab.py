"""What GitLab is told about a run: a merge request's note, a commit's status, Code Quality.

GitLab carries out lines of a note that begin with a slash, such as `/merge`, and has looked for
them in ways that differ from Markdown's: so no line of a note begins with one, in a code block
neither.
"""

import hashlib
import json
import re
from typing import Any, Literal

from evalkit.report.github.annotations import Annotation, annotations_of
from evalkit.report.github.document import COMMENT_LIMIT, Ending, document
from evalkit.report.github.stamp import Stamp
from evalkit.report.github.subject import Subject
from evalkit.report.untrusted import clip, one_line

State = Literal["success", "failed", "canceled"]
DESCRIPTION_LIMIT = 255
LIVE_RUN = (
    "A maintainer who has read the change can start the live run, which has the project's keys: a "
    "manual job, as evalkit's docs/ci.md shows."
)
# after what may stand before the first word of a line: blanks, quotations, items of a list
_COMMAND = re.compile(r"^((?:[ \t>]|[-*+][ \t]|\d+[.)][ \t])*)/(?=[A-Za-z])", re.MULTILINE)
# a directive that takes in another file
_INCLUDE = re.compile(r"^([ \t]*)::(?=include)", re.MULTILINE | re.IGNORECASE)
_SEVERITIES = {"failure": "major", "warning": "minor", "notice": "info"}


def note_body(
    subject: Subject, stamp: Stamp, *, title: str = "evalkit", ending: Ending | None = None
) -> str:
    """The note; its first line is the stamp's marker. As short as a comment on GitHub, although
    GitLab would take 1,000,000 characters: nobody reads those."""
    body = document(
        subject,
        limit=COMMENT_LIMIT - 1,
        title=title,
        first=stamp.marker,
        ending=ending or Ending(live_run=LIVE_RUN),
    )
    return without_commands(body)


def without_commands(text: str) -> str:
    """The text with slashes written out where GitLab would carry out what follows them."""
    return _INCLUDE.sub(r"\1\\x3a:", _COMMAND.sub(r"\1\\x2f", text))


def state_of(subject: Subject) -> State:
    """The state of a commit's status. GitLab has no neutral one that holds back a merge: what was
    not measured, and what was stopped, is canceled. Only a pass is a success."""
    if subject.green:
        return "success"
    if subject.kind in ("not_measured", "interrupted") or subject.exit_code == 130:
        return "canceled"
    return "failed"


def status_payload(
    subject: Subject, *, name: str, target_url: str | None = None, pipeline: int | None = None
) -> dict[str, Any]:
    """The body of `POST /projects/:id/statuses/:sha`."""
    payload: dict[str, Any] = {
        "state": state_of(subject),
        "name": clip(one_line(name), 200),
        "description": one_line(subject.sentence)[:DESCRIPTION_LIMIT],
    }
    if target_url is not None:
        payload["target_url"] = target_url
    if pipeline is not None:
        payload["pipeline_id"] = pipeline
    return payload


def code_quality_json(subject: Subject) -> str:
    """What broke, on the lines of the golden cases, as GitLab's Code Quality report has it.

    Descriptions are evalkit's words and the project's names; no text of a model is in them.
    """
    found = [_finding(each) for each in annotations_of(subject) if each.path is not None]
    unique = {finding["fingerprint"]: finding for finding in found}
    return json.dumps(list(unique.values()), indent=2, ensure_ascii=False) + "\n"


def _finding(annotation: Annotation) -> dict[str, Any]:
    title, path = one_line(annotation.title), one_line(annotation.path or "")
    # without the line: a case that moved is no other finding
    identity = hashlib.sha256(f"{path}\n{title}".encode()).hexdigest()
    return {
        "description": clip(f"{title}: {one_line(annotation.message)}", 1_000),
        "check_name": "evalkit",
        "fingerprint": identity,
        "severity": _SEVERITIES[annotation.level],
        "location": {"path": path, "lines": {"begin": annotation.line}},
    }
