"""Stored sessions as what a suite plays: each a case, and what production answered an attempt."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from evalkit.config.suites import Suite
from evalkit.control.telemetry import attributes as names
from evalkit.execute.agent_target import offered_tools
from evalkit.records.asset import Agent, Prompt
from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.records.digest import digest_of
from evalkit.records.span import SessionTrace
from evalkit.workflows.replay.production import produced_attempt
from evalkit.workflows.replay.sessions import LeftOut, Session, join_requests, read_sessions
from evalkit.workflows.traces.inputs import fit_conversation, fit_prompt
from evalkit.workflows.traces.making import draft_expected, tool_fixtures

NOT_RENDERED = "messages that the suite's prompt does not render to"


class Player(msgspec.Struct, frozen=True, kw_only=True):
    """What plays sessions: the suite `name`, the `prompts` or `agents` that production may have
    asked through, the candidate's last. `references` tells that a judge compares with a reference
    answer, which is then what production answered."""

    name: str
    suite: Suite
    prompts: Sequence[Prompt] = ()
    agents: Sequence[Agent] = ()
    references: bool = False

    @property
    def reads(self) -> tuple[str, ...]:
        """The keys of `expected` that its scorers look at."""
        keys = dict.fromkeys(key for entry in self.suite.scorers for key in entry.reads)
        return (*keys, "reference") if self.references and "reference" not in keys else (*keys,)

    @property
    def counts_executed(self) -> bool:
        """Whether its tool calls are compared by those that were made, which no search is."""
        found = [entry.tool_calls for entry in self.suite.scorers if entry.tool_calls is not None]
        return bool(found) and all(each.calls == "executed" for each in found)


class Traffic(msgspec.Struct):
    """Sessions that are played, and those that are `left_out`.

    `joined` counts the requests that a later one tells to its end, `other_tools` the sessions in
    which the model was offered other tools than the candidate has, `untold` those whose spending is
    not known because requests of them are not stored.
    """

    cases: list[Case] = msgspec.field(default_factory=list)
    attempts: list[Attempt] = msgspec.field(default_factory=list)
    left_out: LeftOut = msgspec.field(default_factory=LeftOut)
    models: dict[str, str] = msgspec.field(default_factory=dict)
    joined: int = 0
    other_tools: int = 0
    untold: int = 0


def read_traffic(traces: Iterable[SessionTrace], player: Player) -> Traffic:
    """What of the sessions the suite can play: a prompt those that asked a model once, an agent
    conversations to their answer; each through what it is asked with, and with something in its
    answer that a gating scorer reads."""
    traffic = Traffic()
    sessions = read_sessions(traces, traffic.left_out)
    if player.agents:
        requests, sessions = len(sessions), join_requests(sessions)
        traffic.joined = requests - len(sessions)
    for session in sessions:
        found = _play_agent(session, player) if player.agents else _play_prompt(session, player)
        if isinstance(found, str):
            traffic.left_out.unplayed[found].append(session.trace.trace_id)
        else:
            _add(traffic, session, player, found)
    return traffic


class _Fitting(msgspec.Struct, frozen=True):
    """How a session is played: its case, and through what. `first` and `search` as
    `produced_attempt` has them."""

    case: Case
    prompt: Prompt
    tools: frozenset[str]
    first: int | None = None
    search: str | None = None


def _play_prompt(session: Session, player: Player) -> _Fitting | str:
    """A session as a case of a prompt, or why it is none."""
    seen = session.seen
    if len(session.chats) > 1:
        return "several answers in one session, and a prompt answers once"
    for prompt in player.prompts:
        found = fit_prompt(prompt, seen.asked, seen.documents)
        if found is None:
            continue
        case = _case(session, player, found)
        if isinstance(case, str):
            return case
        return _Fitting(case, prompt, frozenset(tool.name for tool in prompt.tools))
    if any(each.role in ("assistant", "tool") for each in seen.asked):
        return "a later turn of a conversation, and a prompt answers once"
    return NOT_RENDERED


def _play_agent(session: Session, player: Player) -> _Fitting | str:
    """A conversation as a case of an agent, or why it is none."""
    seen = session.seen
    if not seen.follows:
        return "calls that do not go on from each other"
    for agent in player.agents:
        found = fit_conversation(agent, seen.heard, seen.documents)
        if found is None:
            continue
        if untold := dict.fromkeys(call.name for call in seen.calls if not call.told):
            return f"the result of a call of {', '.join(untold)} is not in the trace"
        if seen.asks_for and seen.blocked_by is None:
            return "it ends in a tool call, whose result is not in a trace"
        search = None if agent.search is None else agent.search.name
        searched = any(call.name == search for call in seen.all_calls)
        if searched and not any(each.operation == "retrieval" for each in session.trace.spans):
            return f"what its calls of {search} found is not in the trace as documents"
        case_input, says = found
        case = _case(session, player, case_input, search=search)
        if isinstance(case, str):
            return case
        case = msgspec.structs.replace(
            case,
            tools=tool_fixtures(seen),
            conversation=tuple({"says": text} for text in says),
        )
        tools = frozenset(tool.name for tool in offered_tools(agent))
        first = len(agent.prompt.messages)
        return _Fitting(case, agent.prompt, tools, first=first, search=search)
    return NOT_RENDERED


def _case(
    session: Session, player: Player, case_input: dict[str, Any], *, search: str | None = None
) -> Case | str:
    """The case of an input, or why its answer could decide nothing."""
    trace, seen = session.trace, session.seen
    if player.agents:  # an attempt of an agent is all its turns
        calls = seen.all_calls
        if player.counts_executed:
            made = [call for call in seen.calls if call.name != search]
            calls = tuple(ToolCall(name=each.name, arguments=each.arguments) for each in made)
        seen = msgspec.structs.replace(seen, asks_for=calls)
    expected = draft_expected(seen, player.reads)
    gating = [entry for entry in player.suite.scorers if entry.gate]
    if "blocked" not in expected and not any(entry.decides(expected) for entry in gating):
        return "an answer of which no gating scorer reads anything"
    return Case(
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


def _add(traffic: Traffic, session: Session, player: Player, how: _Fitting) -> None:
    attempt = produced_attempt(
        session,
        how.case,
        suite=player.name,
        prompt=how.prompt,
        first=how.first,
        search=how.search,
    )
    last = session.chats[-1].attributes
    model = session.seen.model
    traffic.cases.append(how.case)
    traffic.attempts.append(attempt)
    traffic.other_tools += _tools_of(last) != how.tools
    traffic.untold += how.first is not None and not session.is_whole(how.first)
    traffic.models[model] = str(last.get(names.REQUEST_MODEL, model))


def _tools_of(about: dict[str, Any]) -> frozenset[str]:
    """What production's model was offered."""
    offered = about.get(names.TOOL_DEFINITIONS, ())
    return frozenset(str(each.get("name")) for each in offered if isinstance(each, dict))
