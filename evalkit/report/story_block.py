"""A story on a terminal: numbered steps, each with what was said, what it cost, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evalkit.records.call import Decision, Usage
from evalkit.report.figures import count, seconds, usd
from evalkit.report.screen import Page, styled
from evalkit.report.story import Told
from evalkit.report.structures import encode
from evalkit.report.untrusted import clip, one_line, visible

if TYPE_CHECKING:
    from rich.text import Text

_MOST_SAID = 2_000
_MOST_DATA = 200
_MOST_REASON = 300
_LABEL = 11
_STYLES = {
    "denied": "red",
    "failed": "magenta",
    "changed": "yellow",
    "warned": "yellow",
    "allowed": "green",
    "answered": "green",
}
# Data that the step or the message says already.
_TOLD = frozenset(
    [
        "call",
        "cost_usd",
        "count",
        "documents",
        "dropped",
        "identity",
        "index",
        "input_tokens",
        "key",
        "model",
        "output_tokens",
        "tool",
        "where",
    ]
)
_ORIGINS = {
    "cache": "from the cache",
    "recording": "a recorded reply",
    "scripted": "a scripted reply",
}


def put_story(page: Page, told: Sequence[Told], *, indent: int = 2) -> None:
    """The steps, numbered from 1."""
    width = len(str(len(told))) + 2
    for number, each in enumerate(told, start=1):
        head = styled(f"{number}.".ljust(width), "bold").append_text(_title(each))
        page.line(head, indent=indent, hang=width)
        inside = indent + width
        for label, text in each.said:
            page.labelled(
                label, clip(visible(text), _MOST_SAID), indent=inside, width=_LABEL, hang=2
            )
        if words := _cost(each):
            page.labelled("cost", words, indent=inside, width=_LABEL, hang=2)
        put_decisions(page, each.why, indent=inside)


def put_decisions(
    page: Page, decisions: Sequence[Decision], *, indent: int = 2, label: str = "why"
) -> None:
    """Every decision with its rule and its reason."""
    for number, decision in enumerate(decisions):
        page.labelled(
            "" if number else label, _decision(decision), indent=indent, width=_LABEL, hang=2
        )


def put_total(page: Page, told: Sequence[Told], *, indent: int = 2) -> None:
    """What all steps took together, where there are several."""
    asked = [each for each in told if each.kind == "model"]
    tools = sum(each.kind == "tool" for each in told)
    if len(told) < 2 or not asked:
        return
    used = [each.usage for each in asked if each.usage is not None]
    tokens = sum(usage.total for usage in used)
    priced = [each.cost_usd for each in asked if each.cost_usd is not None]
    words = f"{count(len(asked), 'model call')}, {count(tools, 'tool call')}"
    words += f"; {tokens:,} tokens, {usd(sum(priced)) if priced else 'no price'}"
    page.labelled("in all", words, indent=indent, width=_LABEL, hang=2)


def _title(told: Told) -> "Text":
    name = one_line(told.name)
    words = {
        "model": f"Asked the model {name}" if name else "Asked a model",
        "tool": f"Called the tool {name}" if name else "Asked for a tool",
        "retrieval": f"Looked up documents in {name}" if name else "Looked up documents",
        "user": "The user wrote",
    }[told.kind]
    if told.kind == "tool" and told.ending == "denied":
        words = f"Wanted to call the tool {name}" if name else "Wanted to call a tool"
    text = styled(words)
    if told.step:
        text.append(f" in step {one_line(told.step)}")
    if told.ending == "denied":
        text.append(": ").append("denied", style="red")
    elif told.ending == "failed":
        text.append(": ").append("failed", style="magenta")
    reason = told.reason
    if any(decision.rule == reason.partition(":")[0] for decision in told.why):
        reason = reason.partition(":")[0]  # the decision below says the rest
    if told.ending != "done" and reason:
        text.append(" by " if told.ending == "denied" else ", ")
        text.append(clip(one_line(reason), _MOST_REASON))
    if told.ending == "done" and told.origin in _ORIGINS:
        text.append(f", {_ORIGINS[told.origin]}")
    return text


def _cost(told: Told) -> str:
    parts = []
    if told.usage is not None:
        parts.append(_tokens(told.usage))
        parts.append(usd(told.cost_usd))
    replayed = told.origin in _ORIGINS
    if told.latency_s is not None and told.kind in ("model", "tool") and not replayed:
        parts.append(seconds(told.latency_s))
    return "; ".join(parts)


def _tokens(usage: Usage) -> str:
    """`1,204 tokens in (800 cached), 96 out (40 of them thought)`."""
    inside = [f"{usage.cached_tokens:,} cached"] if usage.cached_tokens else []
    inside += (
        [f"{usage.cache_write_tokens:,} written to a cache"] if usage.cache_write_tokens else []
    )
    words = f"{usage.input_tokens:,} tokens in"
    words += f" ({', '.join(inside)})" if inside else ""
    words += f", {usage.output_tokens:,} out"
    words += f" ({usage.reasoning_tokens:,} of them thought)" if usage.reasoning_tokens else ""
    return words + (", estimated from lengths" if usage.estimated else "")


def _decision(decision: Decision) -> "Text":
    """`authorize denied by policies.disallow_actions: send_email is … {"tool": …}`."""
    text = styled(f"{decision.act} ")
    text.append(decision.outcome, style=_STYLES[decision.outcome])
    more = {key: value for key, value in decision.data.items() if key not in _TOLD}
    data = f" {clip(encode(more), _MOST_DATA)}" if more else ""
    return text.append(f" by {one_line(f'{decision.rule}: {decision.message}{data}')}")
