"""A check run, or a commit status where a token may not make check runs.

GitHub counts `neutral` and `skipped` as passing where a check is required, so neither stands for
anything that is not measured or not decided, with two exceptions that are somebody's wish: a fork's
change that recordings cannot measure (no check can measure it there), and a suite whose own setting
says that an open verdict is no more than a warning.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from evalkit.records.verdict import Outcome
from evalkit.report.github.annotations import Annotation, check_annotation
from evalkit.report.github.subject import Subject
from evalkit.report.untrusted import clip, one_line

Conclusion = Literal["success", "failure", "neutral", "action_required", "cancelled"]
State = Literal["success", "failure", "error", "pending"]

BATCH = 50
"""The annotations that one request may hold."""

MOST_ANNOTATIONS = 500
SUMMARY_LIMIT = 65_535
_MOST_DESCRIPTION = 140
_MOST_TITLE = 200
_CONCLUSIONS: dict[int, Conclusion] = {
    1: "failure",  # a regression
    2: "failure",  # nothing was run
    3: "action_required",  # the suite cannot tell: somebody has to
    4: "action_required",  # something outside broke: run it again
    130: "cancelled",
}
_STATES: dict[Conclusion, State] = {
    "success": "success",
    "failure": "failure",
    "action_required": "failure",
    "cancelled": "error",
}


def conclusion_of(subject: Subject) -> Conclusion:
    """What the check run says. `success` is a pass and nothing else."""
    if subject.kind == "not_measured":
        return "neutral"
    if subject.record is not None and subject.record.state in ("running", "interrupted"):
        return "cancelled"
    if subject.green:
        return "success"
    if subject.exit_code == 0:
        return "neutral" if _is_a_warning(subject) else "action_required"
    return _CONCLUSIONS.get(subject.exit_code, "failure")


def state_of(subject: Subject) -> State:
    """The same as a commit status, which has no neutral: not measured is still awaited."""
    conclusion = conclusion_of(subject)
    if conclusion == "neutral":
        return "success" if subject.kind == "run" else "pending"
    return _STATES[conclusion]


def _is_a_warning(subject: Subject) -> bool:
    """Whether the run is whole and open, and the suite's setting makes that exit 0."""
    record, verdict = subject.record, subject.verdict
    whole = record is not None and record.state == "complete" and subject.kind == "run"
    return whole and verdict is not None and verdict.outcome is Outcome.INCONCLUSIVE


def check_payload(
    subject: Subject,
    *,
    name: str,
    head_sha: str,
    external_id: str,
    summary: str,
    details_url: str | None,
    annotations: Sequence[Annotation],
) -> dict[str, Any]:
    """The body that makes a check run; `annotations` are the first `BATCH`, each with a path."""
    payload: dict[str, Any] = {
        "name": name,
        "head_sha": head_sha,
        "external_id": external_id,
        "status": "completed",
        "conclusion": conclusion_of(subject),
        "output": _output(subject, summary, annotations),
    }
    if details_url is not None:
        payload["details_url"] = details_url
    return payload


def more_payload(
    subject: Subject, *, summary: str, annotations: Sequence[Annotation]
) -> dict[str, Any]:
    """The body that adds annotations to a check run, which keeps those it has."""
    return {
        "status": "completed",
        "conclusion": conclusion_of(subject),
        "output": _output(subject, summary, annotations),
    }


def _output(subject: Subject, summary: str, annotations: Sequence[Annotation]) -> dict[str, Any]:
    return {
        "title": clip(one_line(subject.sentence), _MOST_TITLE),
        "summary": summary,
        "annotations": [check_annotation(each) for each in annotations],
    }


def batches(annotations: Sequence[Annotation]) -> Iterator[Sequence[Annotation]]:
    """The annotations that have a path, at most `MOST_ANNOTATIONS`, `BATCH` at a time; the first
    batch may be empty."""
    placed = [each for each in annotations if each.path is not None][:MOST_ANNOTATIONS]
    for start in range(0, max(1, len(placed)), BATCH):
        yield placed[start : start + BATCH]


def status_payload(subject: Subject, *, context: str, target_url: str | None) -> dict[str, Any]:
    """The body that sets a commit status."""
    sentence = one_line(subject.sentence)
    if len(sentence) > _MOST_DESCRIPTION:
        sentence = f"{sentence[: _MOST_DESCRIPTION - 2].rstrip()} …"
    payload: dict[str, Any] = {
        "state": state_of(subject),
        "context": context,
        "description": sentence,
    }
    if target_url is not None:
        payload["target_url"] = target_url
    return payload
