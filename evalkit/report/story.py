"""What happened, step by step, as somebody reads it who has never seen evalkit.

A story is made of what there is: the steps of a workflow, the spans of its session, and the
decisions; bundles of an older evalkit have decisions alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from evalkit.records.attempt import FailureMode, Step, StepKind
from evalkit.records.call import Act, Decision, Usage
from evalkit.records.span import Span, span_decisions
from evalkit.report.structures import encode

Ending = Literal["done", "denied", "failed"]
_KINDS: dict[str, StepKind] = {"chat": "model", "execute_tool": "tool", "retrieval": "retrieval"}
# Decisions about what came back belong to the call before them, all others to what follows.
_AFTERWARDS: frozenset[Act] = frozenset({"complete", "guardrail", "tool"})


@dataclass(slots=True, kw_only=True)
class Told:
    """One step of a story. `said` are labelled texts, `why` the decisions that were made in it."""

    kind: StepKind
    name: str
    ending: Ending = "done"
    reason: str = ""
    said: list[tuple[str, str]] = field(default_factory=list)
    usage: Usage | None = None
    cost_usd: float | None = None
    latency_s: float | None = None
    origin: str = ""
    step: str = ""
    why: list[Decision] = field(default_factory=list)


def tell(
    steps: Sequence[Step], spans: Sequence[Span], decisions: Sequence[Decision]
) -> tuple[list[Told], list[Decision]]:
    """The story, and the decisions that belong to none of its steps."""
    if spans:
        told, nobodys = _by_spans(steps, spans, decisions)
    elif steps:
        told, nobodys = _by_steps(steps, decisions)
    else:
        told, nobodys = _by_decisions(decisions)
    _add_wishes(told)
    return told, nobodys


def _add_wishes(told: Sequence[Told]) -> None:
    """What a model that wrote nothing asked for: the tools that follow it."""
    for number, each in enumerate(told):
        if each.kind != "model" or each.said or each.ending == "failed":
            continue
        names: list[str] = []
        for later in told[number + 1 :]:
            if later.kind == "model":
                break
            if later.kind == "tool" and later.name:
                names.append(later.name)
        each.said += _given(("asked for", ", ".join(names)))


def _by_spans(
    steps: Sequence[Step], spans: Sequence[Span], decisions: Sequence[Decision]
) -> tuple[list[Told], list[Decision]]:
    told: list[Told] = []
    left = list(steps)
    placed: list[tuple[int, Told]] = []  # every decision of a step, and the step
    for span in spans[1:]:
        kind = _KINDS[span.operation]
        step = _step_of(span, kind, left)
        if step is not None:
            told += _spoken_before(step, left)
        each = _from_span(span, kind)
        if step is not None:
            _add_step(each, step)
        each.why = list(span_decisions(span, decisions))
        placed += [(place, each) for place in span.decisions]
        told.append(each)
    told += [_from_step(step) for step in left]
    for number, each in enumerate(told):
        if each.kind == "model" and each.ending == "failed" and not each.why:
            placed += _failure_of(number, told, placed, decisions)
    known = {place for place, _ in placed}
    loose = [place for place in range(len(decisions)) if place not in known]
    return told, _attach(loose, sorted(placed, key=lambda pair: pair[0]), decisions)


def _failure_of(
    number: int,
    told: Sequence[Told],
    placed: Sequence[tuple[int, Told]],
    decisions: Sequence[Decision],
) -> list[tuple[int, Told]]:
    """The decision that tells of a try in which none was made: the first failed one between its
    neighbours'."""
    own = {id(each): place for place, each in enumerate(told)}
    after = max((place for place, each in placed if own[id(each)] < number), default=-1)
    before = min(
        (place for place, each in placed if own[id(each)] > number), default=len(decisions)
    )
    for place in range(after + 1, before):
        decision = decisions[place]
        if (decision.act, decision.outcome) == ("complete", "failed"):
            told[number].why.append(decision)
            return [(place, told[number])]
    return []


def _attach(
    loose: Sequence[int], placed: Sequence[tuple[int, Told]], decisions: Sequence[Decision]
) -> list[Decision]:
    """Give decisions of the session itself to the step they led to, or that they judged.

    Returns those that are nobody's.
    """
    nobodys = []
    before: dict[int, list[Decision]] = {}
    steps: dict[int, Told] = {}
    for place in loose:
        decision = decisions[place]
        earlier = [step for known, step in placed if known < place]
        later = [step for known, step in placed if known > place]
        where = decision.data.get("where")
        judged = where == "reply" or (decision.act in _AFTERWARDS and where != "request")
        if judged and earlier:
            earlier[-1].why.append(decision)
        elif later and not (judged and earlier):
            steps[id(later[0])] = later[0]
            before.setdefault(id(later[0]), []).append(decision)
        elif earlier:
            earlier[-1].why.append(decision)
        else:
            nobodys.append(decision)
    for key, found in before.items():
        steps[key].why = [*found, *steps[key].why]
    return nobodys


def _step_of(span: Span, kind: StepKind, left: list[Step]) -> Step | None:
    """The step that a span is about: of its kind, and the same call, tool or index."""
    call = span.attributes.get("gen_ai.tool.call.id", "")
    for step in left:
        if step.kind != kind:
            continue
        if kind == "model":
            # a try that failed is no step, unless it was the last one and nothing came of it
            return None if span.error is not None and step.outcome == "done" else step
        if step.name == span.name and (not call or not step.call or step.call == call):
            return step
        if kind == "retrieval":
            return None
    return None


def _spoken_before(step: Step, left: list[Step]) -> list[Told]:
    """What users said before a step; takes it and the step out of what is left."""
    place = left.index(step)
    spoken = [each for each in left[:place] if each.kind == "user"]
    for each in (*spoken, step):
        left.remove(each)
    return [_from_step(each) for each in spoken]


def _from_span(span: Span, kind: StepKind) -> Told:
    said = span.attributes
    told = Told(kind=kind, name=said.get("evalkit.model", span.name))
    told.origin = said.get("evalkit.origin", "")
    if span.error is not None:
        told.ending = "failed" if kind == "model" or _is_failure(span.error) else "denied"
        told.reason = ": ".join(part for part in (span.error, span.message or "") if part)
    if kind == "model":
        told.latency_s = span.duration_s
        if "gen_ai.usage.input_tokens" in said:
            told.usage = Usage(
                input_tokens=said["gen_ai.usage.input_tokens"],
                output_tokens=said.get("gen_ai.usage.output_tokens", 0),
                cached_tokens=said.get("gen_ai.usage.cache_read.input_tokens", 0),
                cache_write_tokens=said.get("gen_ai.usage.cache_creation.input_tokens", 0),
                reasoning_tokens=said.get("gen_ai.usage.reasoning.output_tokens", 0),
                estimated=bool(said.get("evalkit.usage.estimated", False)),
            )
            told.cost_usd = said.get("evalkit.cost_usd")
        told.said += _messages(said)
    elif kind == "tool":
        told.said += _given(
            ("arguments", _text(said.get("gen_ai.tool.call.arguments"))),
            ("result", _text(said.get("gen_ai.tool.call.result"))),
        )
    else:
        found = ", ".join(each["id"] for each in said.get("gen_ai.retrieval.documents", ()))
        told.said += _given(
            ("query", said.get("gen_ai.retrieval.query.text", "")),
            ("found", found or ("" if told.ending != "done" else "nothing")),
            ("left out", ", ".join(said.get("evalkit.retrieval.refused", ()))),
        )
    return told


def _is_failure(error: str) -> bool:
    """Whether an act failed. One that a policy denied has its rule, a key of the configuration."""
    return error == "tool_error" or error in set(FailureMode) or error[:1].isupper()


def _messages(said: dict[str, Any]) -> list[tuple[str, str]]:
    """What was said, where the trace holds content: the last question, and the answer."""
    rows = []
    for label, key in (("asked", "gen_ai.input.messages"), ("answered", "gen_ai.output.messages")):
        for message in (said.get(key) or [])[-1:]:
            for part in message.get("parts", ()):
                if part.get("type") == "tool_call":
                    rows.append(("calls", f"{part['name']}({encode(part['arguments'])})"))
                else:
                    rows.append((label, _text(part.get("content", part.get("result")))))
    return _given(*rows)


def _add_step(told: Told, step: Step) -> None:
    """What a step tells beyond its span: the texts, which spans hold only where they are asked."""
    other = _from_step(step)
    told.said = other.said or told.said
    told.step = step.step
    told.ending = step.outcome
    told.reason = other.reason or told.reason
    if step.kind == "model" and step.outcome == "done":
        told.usage, told.cost_usd = step.usage, step.cost_usd
    if step.latency_s is not None:
        told.latency_s = step.latency_s


def _from_step(step: Step) -> Told:
    told = Told(kind=step.kind, name=step.name, ending=step.outcome, step=step.step)
    told.reason = ": ".join(part for part in (step.rule or "", step.message or "") if part)
    told.latency_s = step.latency_s
    if step.kind == "model":
        told.usage = step.usage if step.outcome == "done" else None
        told.cost_usd = step.cost_usd
        told.said = _given(("answered", step.output or ""))
    elif step.kind == "tool":
        told.said = _given(
            ("arguments", _text(step.arguments)),
            ("result", step.output or ""),
            ("approved", f"by {step.approved_by}" if step.approved_by else ""),
        )
    elif step.kind == "retrieval":
        nothing = "nothing" if step.outcome == "done" else ""
        told.said = _given(
            ("query", _text((step.arguments or {}).get("query"))),
            ("found", ", ".join(step.documents) or nothing),
            ("left out", ", ".join(step.refused)),
        )
    else:
        told.said = _given(("said", step.output or ""))
    return told


def _by_steps(
    steps: Sequence[Step], decisions: Sequence[Decision]
) -> tuple[list[Told], list[Decision]]:
    """Steps with their decisions, told apart by what they are about, in order."""
    told = [_from_step(step) for step in steps]
    grouped, nobodys = _by_decisions(decisions)
    left = list(grouped)
    for each in told:
        match = next((group for group in left if group.kind == each.kind), None)
        if match is not None:
            each.why = match.why
            left.remove(match)
    return told, [*nobodys, *(decision for group in left for decision in group.why)]


def _by_decisions(decisions: Iterable[Decision]) -> tuple[list[Told], list[Decision]]:
    """A step for every retrieval, every question to a route's models, every tool that was asked
    for."""
    told: list[Told] = []
    waiting: list[Decision] = []
    asking: Told | None = None
    for decision in decisions:
        act = decision.act
        if act in ("retrieve", "authorize", "step", "tool"):
            kind: StepKind = "retrieval" if act == "retrieve" else "tool"
            last = told[-1] if told and asking is None else None
            if last is not None and last.kind == kind and _goes_on(last, decision):
                last.why.append(decision)
            else:
                name = str(decision.data.get("tool" if kind == "tool" else "index", ""))
                told.append(Told(kind=kind, name=name, why=[*waiting, decision]))
                waiting = []
            asking = None
            if decision.outcome == "denied":
                told[-1].ending, told[-1].reason = "denied", f"{decision.rule}: {decision.message}"
        elif act == "route" and decision.rule == "models.primary":
            asking = Told(kind="model", name=str(decision.data.get("model", "")), why=waiting)
            asking.why.append(decision)
            waiting = []
            told.append(asking)
        elif asking is not None:
            asking.why.append(decision)
            _end(asking, decision)
        else:
            waiting.append(decision)
    return told, waiting


def _goes_on(step: Told, decision: Decision) -> bool:
    """Whether a decision is the second about one thing: a retrieval is decided on twice (whether
    the index may be read, then how much of it), and a tool's result follows its authorization."""
    if decision.act == "tool":
        return True
    return decision.act == "retrieve" and len(step.why) == 1 and step.why[0].outcome != "denied"


def _end(asking: Told, decision: Decision) -> None:
    if decision.outcome == "answered":
        asking.ending, asking.reason = "done", ""
    elif decision.outcome in ("failed", "denied"):
        asking.ending = "denied" if decision.outcome == "denied" else "failed"
        asking.reason = f"{decision.rule}: {decision.message}"


def _given(*rows: tuple[str, str]) -> list[tuple[str, str]]:
    return [row for row in rows if row[1]]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else encode(value)
