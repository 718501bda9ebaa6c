"""One attempt as data for the page: what it said, how it was scored, what it took, and why."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from evalkit.records.attempt import Attempt
from evalkit.records.call import Decision
from evalkit.records.comparison import Side
from evalkit.records.judgment import Judgment
from evalkit.records.score import Score
from evalkit.report.case_block import role_words
from evalkit.report.figures import seconds, usd
from evalkit.report.html.shown_text import Room, Shown, indented, value_text
from evalkit.report.judgments import judgment_lines
from evalkit.report.output_diff import call_text, state_text
from evalkit.report.structures import encode
from evalkit.report.untrusted import clip, one_line, visible

FACTS = (
    "model",
    "prompt",
    "reply",
    "tokens",
    "cost",
    "latency",
    "retrieved",
    "cited",
    "fell back",
    "planned",
)
"""The labels of an attempt's facts, in the order in which each attempt gives them."""

_MOST_STRUCTURE = 40_000
_MOST_MESSAGE = 2_000
_MOST_CROWDED = 160
_ORIGINS = {
    None: "no reply",
    "live": "live",
    "cache": "from the cache",
    "recording": "recorded",
    "scripted": "scripted, written by hand",
}


def attempt_data(
    attempt: Attempt,
    *,
    passed: bool | str | None,
    scores: Sequence[Score],
    judgments: Sequence[Judgment] = (),
    apart: Collection[str] = (),
    decisions: Sequence[Decision],
    traced: bool,
    room: Room,
) -> dict[str, Any]:
    """The attempt for the page. `traced` tells that `decisions` are all that were taken.

    `judgments` are what judges said of it, `apart` those that decide a part of the verdict.
    """
    judged = {judgment.scorer: judgment for judgment in judgments}
    side = Side(
        passed=(),
        trial=attempt.trial,
        state=attempt.state,
        error=attempt.error,
        failure_mode=attempt.failure_mode,
        rule=attempt.rule,
    )
    return {
        "trial": attempt.trial,
        "passed": passed,
        "state": ""
        if attempt.state == "answered"
        else clip(one_line(state_text(side)), _MOST_MESSAGE),
        "mode": one_line(str(attempt.failure_mode)) if attempt.failure_mode else "",
        "output": _output(attempt, room),
        "calls": [room.shown(_call(attempt, index)) for index in range(len(attempt.tool_calls))],
        "facts": [one_line(text) for text in _facts(attempt)],
        "pooled": one_line(attempt.pooled_from or ""),
        "scores": [_score(score, judged.get(score.scorer), apart, room) for score in scores],
        "trace": _trace(decisions),
        "traced": traced,
    }


def _output(attempt: Attempt, room: Room) -> Shown | None:
    """The reply; JSON indented, so that the two sides can be read line by line."""
    structured = isinstance(attempt.parsed, dict | list)
    if attempt.output is None:
        return room.shown(value_text(attempt.parsed)) if attempt.parsed is not None else None
    if structured and len(attempt.output) <= _MOST_STRUCTURE:
        return room.shown(indented(attempt.parsed))
    return room.shown(attempt.output)


def _call(attempt: Attempt, index: int) -> str:
    call = attempt.tool_calls[index]
    allowed = "" if call.name in attempt.allowed_tools else "  (not allowed)"
    return f"{call_text(call)}{allowed}"


def _facts(attempt: Attempt) -> list[str]:
    usage = attempt.usage
    model = attempt.model or attempt.planned_model
    if attempt.model_id and attempt.model_id != attempt.model:
        model += f" ({attempt.model_id})"
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    estimated = ", estimated" if usage.estimated else ""
    live = attempt.origin == "live"
    other = attempt.model and attempt.planned_model and attempt.model != attempt.planned_model
    return [
        model,
        f"{attempt.prompt}, route {attempt.route}" if attempt.route else attempt.prompt,
        _reply(attempt),
        f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out{estimated}",
        f"{usd(attempt.cost_usd)} list price, {usd(attempt.billed_usd)} billed",
        seconds(attempt.latency_s) if live and attempt.latency_s is not None else "",
        ", ".join(attempt.documents),
        ", ".join(attempt.citations),
        "; ".join(f"from {hop.model}: {hop.code}: {hop.message}" for hop in attempt.fallbacks),
        f"{attempt.planned_model} should have answered" if other else "",
    ]


def _reply(attempt: Attempt) -> str:
    words = _ORIGINS[attempt.origin]
    if attempt.measured_at:
        words += f", measured {attempt.measured_at[:19].replace('T', ' ')}"
    if attempt.tries > 1:
        words += f", after {attempt.tries} tries"
    if attempt.finish_reason not in (None, "stop"):
        words += f", finish reason {attempt.finish_reason}"
    return words


def _score(
    score: Score, judgment: Judgment | None, apart: Collection[str], room: Room
) -> tuple[str, str, str, str, list[tuple[str, bool]]]:
    """(scorer, word, what it is if it decides no case, message, what its judge said)."""
    name = one_line(score.scorer)
    role = role_words(gate=score.gate, apart=score.scorer in apart)
    if score.state == "not_applicable":
        return name, "does not apply", role, "", []
    word = "error" if score.state == "error" else "pass" if score.passed else "fail"
    if score.state != "error" and score.passed is None:
        word = "no verdict"
    if judgment is not None:
        return name, word, role, "", _judged(judgment, room)
    message = score.message
    if not message and word != "pass":
        message = f"expected {encode(score.expected)}, found {encode(score.found)}"
    return name, word, role, clip(visible(message), _MOST_MESSAGE), []


def _judged(judgment: Judgment, room: Room) -> list[tuple[str, bool]]:
    """What a judge was asked and said, a line each, and whether it is its own words."""
    limit = _MOST_MESSAGE if room.left > 0 else _MOST_CROWDED
    lines = [(clip(words, limit), said) for words, said in judgment_lines(judgment)]
    room.left -= sum(len(words) for words, _ in lines)
    return lines


def _trace(decisions: Sequence[Decision]) -> list[tuple[str, str, str, str, str, str]]:
    """(act, outcome, rule, message, milliseconds since the first, data) of each decision."""
    start = _moment(decisions[0].at) if decisions else None
    return [
        (
            decision.act,
            decision.outcome,
            one_line(decision.rule),
            clip(visible(decision.message), _MOST_MESSAGE),
            _since(start, _moment(decision.at)),
            clip(one_line(encode(decision.data)), _MOST_MESSAGE) if decision.data else "",
        )
        for decision in decisions
    ]


def _moment(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        return None


def _since(start: datetime | None, at: datetime | None) -> str:
    if start is None or at is None or (start.tzinfo is None) != (at.tzinfo is None):
        return ""
    return f"+{(at - start).total_seconds() * 1000:,.0f} ms"
