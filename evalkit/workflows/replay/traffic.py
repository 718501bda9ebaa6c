"""Stored sessions as what a suite plays: each a case, and what production answered an attempt."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from evalkit.config.suites import Suite
from evalkit.control.policy import cited_documents
from evalkit.control.telemetry import attributes as names
from evalkit.errors import Refused
from evalkit.records.asset import Prompt
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.call import Usage
from evalkit.records.case import Case
from evalkit.records.digest import digest_of
from evalkit.records.json_text import decode_json
from evalkit.records.span import SessionTrace, Span
from evalkit.workflows.traces.becoming_cases import check_may_become_case
from evalkit.workflows.traces.inputs import fit_prompt
from evalkit.workflows.traces.making import draft_expected
from evalkit.workflows.traces.observed import Observed, observe


@dataclass(slots=True)
class Traffic:
    """Sessions that can be replayed. `left_out` counts the others by why, `other_tools` those in
    which the model was offered other tools than the prompt has."""

    cases: list[Case] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    models: dict[str, str] = field(default_factory=dict)
    other_tools: int = 0


def read_traffic(
    traces: Iterable[SessionTrace], name: str, suite: Suite, prompts: Sequence[Prompt]
) -> Traffic:
    """What of the sessions the suite `name` can play: they asked one model once, through one of
    the `prompts`, and what was answered is something that a gating scorer reads."""
    traffic = Traffic()
    for trace in traces:
        why = _take(traffic, trace, name, suite, prompts)
        if why is not None:
            traffic.left_out[why] += 1
    return traffic


def _take(
    traffic: Traffic, trace: SessionTrace, name: str, suite: Suite, prompts: Sequence[Prompt]
) -> str | None:
    """Add a session; else why it cannot be replayed."""
    if trace.use != "evaluation":
        return f"marked `use: {trace.use}`"
    try:
        check_may_become_case(trace)
    except Refused:
        return "no answer" if trace.content else "no content in the trace"
    chats = [span for span in trace.spans if span.operation == "chat" and span.error is None]
    if len(chats) > 1:
        return "several answers in one session"
    try:
        seen = observe(trace)
        usage, cost_usd = _spent(chats[0].attributes)
    except (Refused, msgspec.ValidationError):
        return "content that cannot be read"
    if seen.cut:
        return "too long to stand in a trace whole"
    if seen.lost:
        return "documents without their texts in the trace"
    fitting = [(prompt, fit_prompt(prompt, seen.asked, seen.documents)) for prompt in prompts]
    found = next(((prompt, each) for prompt, each in fitting if each is not None), None)
    if found is None:
        return "messages that the suite's prompt does not render to"
    gating = [entry for entry in suite.scorers if entry.gate]
    reads = tuple(dict.fromkeys(key for entry in suite.scorers for key in entry.reads))
    expected = draft_expected(seen, reads)
    if "blocked" not in expected and not any(entry.decides(expected) for entry in gating):
        return "an answer of which no gating scorer reads anything"
    prompt, case_input = found
    case = Case(
        id=f"trace-{trace.trace_id}",
        input=case_input,
        expected=expected,
        group=digest_of(case_input),
        documents=seen.documents,
        identity={
            key: who
            for key, who in (("user", trace.user), ("org", trace.org), ("team", trace.team))
            if who
        },
    )
    traffic.cases.append(case)
    attempt = _attempt(trace, chats[0], seen, case, name, prompt)
    traffic.attempts.append(msgspec.structs.replace(attempt, usage=usage, cost_usd=cost_usd))
    traffic.other_tools += _tools_of(chats[0]) != {tool.name for tool in prompt.tools}
    traffic.models[seen.model] = str(chats[0].attributes.get(names.REQUEST_MODEL, seen.model))
    return None


def _attempt(
    trace: SessionTrace, chat: Span, seen: Observed, case: Case, suite: str, prompt: Prompt
) -> Attempt:
    """What production answered, as an attempt of a run."""
    about = chat.attributes
    parsed, is_json = _parsed(seen.answer)
    attempt = Attempt(
        at=trace.at,
        variant="candidate",
        suite=suite,
        case=case.id,
        trial=1,
        key="",
        state="answered",
        origin="live",
        identity=trace.identity,
        output=seen.answer,
        parsed=parsed if prompt.output.kind == "json" else None,
        tool_calls=seen.asks_for,
        allowed_tools=tuple(
            str(each.data["tool"])
            for each in trace.decisions
            if each.act == "authorize" and each.outcome == "allowed" and "tool" in each.data
        ),
        documents=tuple(each.id for each in seen.documents),
        citations=cited_documents(seen.answer, parsed, known={each.id for each in seen.documents}),
        prompt=prompt.reference,
        route=trace.route,
        model=seen.model,
        planned_model=seen.model,
        model_id=str(about.get(names.RESPONSE_MODEL, "")),
        decisions=trace.decisions,
        latency_s=chat.duration_s,
        tries=trace.calls,
        finish_reason=next(iter(about.get(names.RESPONSE_FINISH_REASONS, ())), None),
        measurement_id=f"trace/{trace.trace_id}",
        measured_at=trace.at,
    )
    if seen.blocked_by is not None:
        failed: dict[str, Any] = {"state": "blocked", "failure_mode": FailureMode.POLICY}
        return msgspec.structs.replace(attempt, **failed, rule=seen.blocked_by)
    if prompt.output.kind == "json" and not is_json and not seen.asks_for:
        return msgspec.structs.replace(
            attempt, state="invalid", failure_mode=FailureMode.INVALID_OUTPUT
        )
    return attempt


def _spent(about: dict[str, Any]) -> tuple[Usage, float | None]:
    """Tokens and list price of a call. Raises msgspec.ValidationError."""
    told = {
        "input_tokens": about.get(names.INPUT_TOKENS, 0),
        "output_tokens": about.get(names.OUTPUT_TOKENS, 0),
        "cached_tokens": about.get(names.CACHE_READ_TOKENS, 0),
        "cache_write_tokens": about.get(names.CACHE_CREATION_TOKENS, 0),
        "reasoning_tokens": about.get(names.REASONING_TOKENS, 0),
        "estimated": about.get(names.USAGE_ESTIMATED, False),
    }
    return msgspec.convert(told, Usage), msgspec.convert(about.get(names.COST_USD), float | None)


def _tools_of(chat: Span) -> set[str]:
    """What production's model was offered."""
    offered = chat.attributes.get(names.TOOL_DEFINITIONS, ())
    return {str(each.get("name")) for each in offered if isinstance(each, dict)}


def _parsed(text: str) -> tuple[Any, bool]:
    try:
        return decode_json(text), True
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None, False
