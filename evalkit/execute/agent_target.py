"""An agent as what is tested: model, tools and retrieval in a loop over the case's world."""

from collections.abc import Sequence
from typing import Any

import msgspec

from evalkit.errors import PolicyBlocked, ProviderError, SessionError
from evalkit.execute.conversation import ScriptedUser
from evalkit.execute.play import Play
from evalkit.execute.rendering import PromptRenderer
from evalkit.execute.world import World
from evalkit.ports import Clock, Opening, Session
from evalkit.records.asset import Agent, AgentStep, Tool
from evalkit.records.attempt import Attempt, FailureMode, VariantName
from evalkit.records.call import Message, PreparedCall, ToolCall
from evalkit.records.case import Case, Document
from evalkit.records.moment import moment_text

MAX_STEPS = "agent.max_steps"
_REPLAYED = ("recording", "scripted")
# what an agent without steps is in
_ONLY = AgentStep(name="")


class AgentTarget:
    """Plays cases through one agent version. Its tools answer from the case, and nothing else runs.

    The conversation goes on with replies as they are stored, so that a replay asks the same.
    """

    def __init__(self, agent: Agent, *, route: str = "", look_ahead: bool = False) -> None:
        """Compile its templates; `route` is the name to record. Raises ConfigError.

        With `look_ahead` a conversation that is replayed is played through when it is prepared, so
        that a later turn which is not written down is known before a run begins.
        """
        self.agent = agent
        self._look_ahead = look_ahead
        self.route = route
        self._renderer = PromptRenderer(agent.prompt)
        self._tools = offered_tools(agent)

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return self.agent.prompt.reference

    async def close(self) -> None:
        """Nothing is held."""

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall:
        """The first call, with the bounds of as many as the agent may make. Raises as `attempt`
        never does: PolicyBlocked, and ConfigError for a template."""
        session = opening.session()
        self._begin(session)
        documents = await self._retrieve(session, case)
        messages = self._renderer.messages(case, documents)
        first = self._prepare(session, messages, trial)
        if self._look_ahead and first.origin in _REPLAYED and first.missing is None:
            missing = await self._missing_later(session, case, messages, trial)
            first = msgspec.structs.replace(first, missing=missing)
        return bound_loop(first, case, calls=self.agent.max_steps)

    async def _missing_later(
        self, session: Session, case: Case, messages: Sequence[Message], trial: int
    ) -> str | None:
        """What a replay lacks on the way to the end of the conversation. It costs nothing."""
        play = Play(session=session, case=case, json=self.agent.prompt.output.kind == "json")
        try:
            await _Loop(self.agent, self._tools, play, trial).run(list(messages))
        except ProviderError as error:
            return str(error) if error.code == FailureMode.NOT_RECORDED else None
        except SessionError:
            pass  # however it ends, it ends with what is written down
        return None

    async def attempt(
        self,
        session: Session,
        case: Case,
        *,
        suite: str,
        variant: VariantName,
        trial: int,
        clock: Clock,
    ) -> Attempt:
        """Play one case to its end: an answer with nothing left to say, a cap, or a failure."""
        prompt = self.agent.prompt
        play = Play(session=session, case=case, json=prompt.output.kind == "json")
        started_at = moment_text(clock.now())
        messages: list[Message] = []
        try:
            self._begin(session)
            play.documents = await self._retrieve(session, case)
            messages += self._renderer.messages(case, play.documents)
            # a copy grows: what was asked first is told of an attempt that got no reply
            await _Loop(self.agent, self._tools, play, trial).run(list(messages))
        except SessionError as error:
            play.record_failure(error)
        prepared = None
        if not play.completions and messages:
            prepared = self._prepared_again(session, messages, trial)
        return play.attempt(
            at=started_at,
            suite=suite,
            variant=variant,
            trial=trial,
            prompt=prompt.reference,
            route=self.route,
            prepared=prepared,
            steps=session.steps,
        )

    def _begin(self, session: Session) -> None:
        """Enter the first step of the workflow, if it has steps. Raises PolicyBlocked."""
        if self.agent.steps:
            session.enter(self.agent.steps[0].name)

    async def _retrieve(self, session: Session, case: Case) -> tuple[Document, ...]:
        retrieve = self.agent.prompt.retrieve
        if retrieve is None:
            return ()
        return await session.retrieve(retrieve.index, self._renderer.query(case))

    def _prepare(self, session: Session, messages: Sequence[Message], trial: int) -> PreparedCall:
        prompt = self.agent.prompt
        first = self.agent.steps[0] if self.agent.steps else _ONLY
        if first.says is not None:
            messages = [*messages, Message(role="user", content=first.says)]
        tools = _offered_in(first, self._tools)
        return session.prepare(
            messages, tools=tools, params=prompt.params, output=prompt.output, trial=trial
        )

    def _prepared_again(
        self, session: Session, messages: Sequence[Message], trial: int
    ) -> PreparedCall | None:
        """What was asked first, for an attempt that got no reply to tell it."""
        try:
            return self._prepare(session, messages, trial)
        except SessionError:
            return None


class _Loop:
    """One attempt on its way: the conversation grows until something ends it."""

    def __init__(self, agent: Agent, tools: Sequence[Tool], play: Play, trial: int) -> None:
        self._agent = agent
        self._tools = tools
        self._play = play
        self._session = play.session
        self._trial = trial
        self._world = World(play.case, play.session.redacted)
        self._user = ScriptedUser(play.case)
        self._succeeded: set[str] = set()

    async def run(self, messages: list[Message]) -> None:
        """Ask until there is an answer and the user has no more to say. Raises SessionError."""
        steps = self._agent.steps or (_ONLY,)
        for number, step in enumerate(steps):
            if number:
                self._session.enter(step.name)
            if step.says is not None:
                messages.append(Message(role="user", content=step.says))
            await self._take_step(step, messages, last=number == len(steps) - 1)
            if self._play.state != "answered":
                return

    async def _take_step(self, step: AgentStep, messages: list[Message], *, last: bool) -> None:
        """Ask within one step of the workflow until it ends. Raises SessionError."""
        prompt = self._agent.prompt
        tools = _offered_in(step, self._tools)
        while True:
            if len(self._play.completions) >= self._agent.max_steps:
                most = self._agent.max_steps
                raise PolicyBlocked(
                    MAX_STEPS, f"the agent asked {most} times and has no answer yet"
                )
            completion = await self._session.complete(
                messages,
                tools=tools,
                params=prompt.params,
                output=prompt.output,
                trial=self._trial,
                interim=True,
            )
            self._play.take(completion)
            reply = self._play.replies[-1]
            if self._play.ends_with_turn():
                return
            turn = Message(role="assistant", content=reply.content, tool_calls=reply.tool_calls)
            messages.append(turn)
            if reply.tool_calls:
                self._succeeded.clear()
                for call in reply.tool_calls:
                    messages.append(await self._act(call))
                if step.until is not None and step.until in self._succeeded:
                    return
                continue
            said = self._user.replies_to(reply.content) if last else None
            if said is None:
                return
            messages.append(Message(role="user", content=said))

    async def _act(self, call: ToolCall) -> Message:
        """One tool call: whether it may run, and what comes of it. Raises PolicyBlocked."""
        try:
            self._session.authorize(call)
            self._play.allowed.append(call.name)
            search = self._agent.search
            if search is not None and call.name == search.name:
                return await self._search(call, search.indexes)
            answer = self._world.answer(call)
            if answer.error is None:
                self._succeeded.add(call.name)
            return self._session.tool_result(
                call, answer.result, error=answer.error, latency_s=answer.latency_s
            )
        except PolicyBlocked as denied:
            if self._agent.on_denied == "stop" or is_cap(denied.rule):
                raise
            return _result(call, {"error": f"denied by {denied.rule}: {denied}"})

    async def _search(self, call: ToolCall, indexes: Sequence[str]) -> Message:
        """Documents as the result of a call. Raises PolicyBlocked."""
        arguments = call.arguments or {}
        query, index = arguments.get("query"), arguments.get("index", indexes[0])
        if not isinstance(query, str) or index not in indexes:
            wanted = f"a `query`, and an `index` that is one of {', '.join(indexes)}"
            return self._session.tool_result(call, None, error=f"{call.name} takes {wanted}")
        found = await self._session.retrieve(index, query)
        self._succeeded.add(call.name)
        known = {document.id for document in self._play.documents}
        self._play.documents += tuple(each for each in found if each.id not in known)
        return _result(
            call, [{"id": each.id, "index": each.index, "text": each.text} for each in found]
        )


def offered_tools(agent: Agent) -> tuple[Tool, ...]:
    """The agent's tools, and its search as one of them."""
    tools = agent.prompt.tools
    search = agent.search
    if search is None:
        return tools
    properties: dict[str, Any] = {"query": {"type": "string", "description": "What to look for."}}
    if len(search.indexes) > 1:
        properties["index"] = {"type": "string", "enum": list(search.indexes)}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": ["query"],
        "additionalProperties": False,
    }
    offered = Tool(
        name=search.name, description=search.description, effect="read", parameters=parameters
    )
    return (*tools, offered)


def _offered_in(step: AgentStep, tools: Sequence[Tool]) -> Sequence[Tool]:
    """The tools that a step offers."""
    return tools if step.tools is None else [tool for tool in tools if tool.name in step.tools]


def is_cap(rule: str) -> bool:
    """Whether a rule caps how much an attempt may do, so that telling the model changes nothing."""
    return rule.rpartition(".")[2].startswith("max_")


def bound_loop(first: PreparedCall, case: Case, *, calls: int) -> PreparedCall:
    """The first call with the bounds of `calls` calls together.

    Every call reads what the first one did, and, for each call before it, at most an answer of full
    length and everything the case holds for tools, retrieval and user, once. That is a bound for a
    model that asks for each thing once a turn; the budget itself holds the real bound of each call.
    """
    # a token has at least a byte
    held = len(msgspec.json.encode([case.tools, case.documents, case.conversation]))
    grown = calls * (calls - 1) // 2 * (first.output_tokens + held)
    tokens = {part: count * calls for part, count in first.input_tokens.items()}
    tokens["input"] = tokens.get("input", 0) + grown
    output_usd = first.max_output_cost_usd
    max_usd = first.max_cost_usd
    if max_usd is not None and output_usd is not None:
        read = sum(first.input_tokens.values())
        per_token = 0.0 if read == 0 else (max_usd - output_usd) / read
        max_usd = max_usd * calls + grown * per_token
        output_usd = output_usd * calls
    return msgspec.structs.replace(
        first,
        input_tokens=tokens,
        output_tokens=first.output_tokens * calls,
        max_cost_usd=max_usd,
        max_output_cost_usd=output_usd,
        max_calls=calls,
    )


def _result(call: ToolCall, result: Any) -> Message:
    """What the model is told of an act that the session has as a step already: a denial, a
    retrieval. It is redacted with all the rest when it leaves."""
    content = msgspec.json.encode(result).decode()
    return Message(role="tool", content=content, tool_call_id=call.id, name=call.name)
