"""What a route's policies say about one act: pure decisions, deny by default, forbid wins."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.config.routes import Route
from evalkit.records.asset import Tool
from evalkit.records.call import DecisionOutcome, ToolCall


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision, the configuration key it rests on, and why."""

    allowed: bool
    rule: str
    message: str

    @property
    def outcome(self) -> DecisionOutcome:
        """What a trace calls it."""
        return "allowed" if self.allowed else "denied"


def rule_retrieval(route: Route, index: str) -> Ruling:
    """Whether an index may be read."""
    rule = "retrieval.allow_indexes"
    allowed = route.retrieval.allow_indexes
    if allowed is None:
        return Ruling(True, rule, f"index {index}: the route names no indexes, so any may be read")
    if index in allowed:
        return Ruling(True, rule, f"index {index} is one of the route's")
    names = ", ".join(allowed) or "none"
    return Ruling(False, rule, f"route {route.name} may not read index {index}; it may: {names}")


def rule_tool_call(
    route: Route,
    call: ToolCall,
    *,
    declared: Mapping[str, Tool],
    authorized: int,
    approvals: Mapping[str, Mapping[str, str]],
) -> Ruling:
    """Whether a call may be executed.

    `declared` are the tools that were offered to the model, `authorized` counts the calls that this
    session allowed already, `approvals` maps a tool to the approval that stands for it.
    """
    name = call.name
    forbidden = {_folded(action) for action in route.policies.disallow_actions}
    if _folded(name) in forbidden:
        return Ruling(
            False, "policies.disallow_actions", f"{name} is never allowed on route {route.name}"
        )
    tool = declared.get(name)
    if tool is None:
        return Ruling(False, "tools.declared", f"{name} was not offered to the model")
    if call.arguments is None:
        return Ruling(
            False, "tools.arguments", f"{name}: the arguments are not a JSON object: cannot run"
        )
    cap = route.max_tool_calls
    if cap is not None and authorized >= cap:
        return Ruling(
            False, "max_tool_calls", f"{name} would be call {authorized + 1} of at most {cap}"
        )
    if tool.effect == "execute" and route.approvals.on_execute is not None:
        return _rule_approval(route.approvals.on_execute, name, approvals.get(name))
    return Ruling(True, "tools.declared", f"{name} may be called; its effect is {tool.effect}")


def _rule_approval(team: str, name: str, approval: Mapping[str, str] | None) -> Ruling:
    rule = "approvals.on_execute"
    if approval is None:
        return Ruling(False, rule, f"{name} executes something, and {team} has not approved it")
    if approval.get("team") != team:
        given = approval.get("team") or "no team"
        return Ruling(False, rule, f"{name} needs the approval of {team}, not of {given}")
    if not approval.get("granted_by"):
        return Ruling(False, rule, f"the approval of {name} does not say who granted it")
    return Ruling(True, rule, f"{name} was approved by {team}")


def rule_citations(
    content: str, parsed: Any, *, known: Collection[str], retrieved: Collection[str]
) -> Ruling:
    """Whether a reply cites documents, and only such that this session retrieved.

    `parsed` is the JSON of the reply, None for a text. `known` are the ids of all documents there
    are, `retrieved` of those that the model may have read.
    """
    rule = "require_citations"
    cited = cited_documents(content, parsed, known=known)
    if not cited:
        return Ruling(False, rule, "the reply cites no document")
    foreign = [each for each in cited if each not in retrieved]
    if foreign:
        names = ", ".join(foreign)
        return Ruling(False, rule, f"the reply cites what this session did not retrieve: {names}")
    return Ruling(True, rule, f"the reply cites {', '.join(cited)}")


_MARK = re.compile(r"\[([^\[\]\n]{1,200})\]")


def cited_documents(content: str, parsed: Any, *, known: Collection[str]) -> tuple[str, ...]:
    """Ids that a reply cites, each once: its `citations` where it is JSON, else its `[id]` marks.

    A mark counts when it names a known document or is written like one, so that an invented id is
    seen, and `[sic]` is not one.
    """
    if isinstance(parsed, dict) and isinstance(parsed.get("citations"), list):
        return tuple(dict.fromkeys(str(each) for each in parsed["citations"]))
    shapes = {_shape(each) for each in known if any(letter.isdigit() for letter in each)}
    marks = (part.strip() for mark in _MARK.findall(content) for part in mark.split(","))
    return tuple(dict.fromkeys(mark for mark in marks if mark in known or _shape(mark) in shapes))


def _shape(name: str) -> str:
    """`kb-104` as `a-0`: how an id is written."""
    return re.sub(r"\d+", "0", re.sub(r"[^\W\d_]+", "a", name))


def _folded(name: str) -> str:
    return name.strip().casefold()
