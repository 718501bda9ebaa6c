"""The session: one workflow on one route for one identity, and the three acts it guards.

What an act does stands in `control/acts`; this is the door to them.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from evalkit.config.routes import Route
from evalkit.control.acts.generation import GenerationAct
from evalkit.control.acts.retrieval import RetrievalAct
from evalkit.control.acts.state import SessionState
from evalkit.control.acts.tools import ToolAct
from evalkit.control.calling import Caller, CallSettings
from evalkit.control.checks import PolicyCheck
from evalkit.control.foresight import Foresight, KeptQuestions
from evalkit.control.outgoing import redact_reply
from evalkit.control.policy import cited_documents
from evalkit.control.redaction import Redactor
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.route_rules import RouteRules
from evalkit.control.routing import RouteOrder
from evalkit.control.telemetry.describing import SessionFacts, describe_spans
from evalkit.ports import Approvals
from evalkit.records.asset import Output, Tool
from evalkit.records.attempt import Step
from evalkit.records.call import (
    Attribution,
    Completion,
    Decision,
    Message,
    Piece,
    PreparedCall,
    Reply,
    ToolCall,
)
from evalkit.records.case import Document
from evalkit.records.ledger import Scopes
from evalkit.records.permission import StepToken
from evalkit.records.span import Span, Use


class ControlSession:
    """Implements ports.Session. A session belongs to one workflow; its acts follow each other."""

    def __init__(
        self,
        *,
        route: Route,
        rules: RouteRules,
        order: RouteOrder,
        settings: CallSettings,
        redactor: Redactor,
        documents: Sequence[Document],
        approvals: Mapping[str, Mapping[str, str]],
        attribution: Attribution,
        identity: str,
        scopes: Scopes,
        catalogue: Catalogue,
        may_read: Collection[str],
        use: Use = "none",
        conversation: str = "",
        heard: Callable[[Decision], None] | None = None,
        approval_store: Approvals | None = None,
        whose: Mapping[str, str] | None = None,
        checks: Sequence[PolicyCheck] = (),
        output_schema: Any = None,
        work: str = "",
        trace_id: str = "",
        kept: KeptQuestions | None = None,
    ) -> None:
        """Made by `ControlPlane`. `rules` and `order` are the route's, `identity` is a pseudonym,
        `scopes` are what budgets charge its calls to, `may_read` the scopes of documents that the
        identity has. `use` and `conversation` are for the trace; `heard` is told of every decision
        at once. `approval_store` is where people approve while the session runs, for what
        `approvals` do not cover. `whose` is the identity itself, `checks` are policies that are
        written elsewhere, `output_schema` is the content of the route's, `work` is what its calls
        are written down for in a run. `trace_id` is what its trace will be called, empty where it
        is kept under another name or not at all. `kept` are questions that were put together
        before.
        """
        self.trace_id = trace_id
        self._order = order
        self._settings = settings
        self._use = use
        self._conversation = conversation
        self._state = SessionState(
            route=route,
            rules=rules,
            clock=settings.clock,
            redactor=redactor,
            documents=documents,
            approvals=approvals,
            attribution=attribution,
            identity=identity,
            catalogue=catalogue,
            may_read=may_read,
            heard=heard,
            approval_store=approval_store,
            whose=whose,
            checks=checks,
            output_schema=output_schema,
        )
        self._caller = Caller(
            settings,
            self._state.trace,
            storable=partial(redact_reply, redactor=redactor),
            knows=redactor.knows,
            scopes=scopes,
            work=work,
        )
        self._generation = GenerationAct(self._state, order, self._caller, kept)
        self._retrieval = RetrievalAct(self._state)
        self._tools = ToolAct(self._state)

    @property
    def identity(self) -> str:
        """The pseudonym of whom the session is for; empty where that is nobody."""
        return self._state.identity

    @property
    def decisions(self) -> Sequence[Decision]:
        """The trace so far."""
        return tuple(self._state.trace.decisions)

    @property
    def steps(self) -> Sequence[Step]:
        """What it did so far, in order, as it may be stored."""
        return self._state.story.steps

    @property
    def began_ns(self) -> int:
        """When the session was opened, in nanoseconds since 1970."""
        return self._state.trace.spans.root.start_ns

    def spans(self, *, content: bool = False) -> tuple[Span, ...]:
        """What the session did so far, act by act, the session itself first.

        With `content` the spans hold what was said, redacted.
        """
        state = self._state
        denied = len([1 for each in state.trace.decisions if each.outcome == "denied"])
        return describe_spans(
            state.trace.spans,
            SessionFacts(
                route=state.route.name,
                identity=state.identity,
                attribution=state.attribution,
                use=self._use,
                conversation=self._conversation,
                tools=state.declared,
                calls=self.tries,
                billed_usd=self.billed_usd,
                denied=denied,
                content=content,
                redact=state.redactor.redact,
                is_plain=state.redactor.is_plain,
                redact_reply=state.redacted_reply,
            ),
        )

    @property
    def tries(self) -> int:
        """Provider calls made so far, retries and fallbacks included."""
        return self._caller.tries

    @property
    def billed_usd(self) -> float:
        """What its calls were charged so far; one whose reply was lost counts with its bound."""
        return self._caller.billed_usd

    def redacted(self, text: str) -> str:
        """The text as it may be stored."""
        return self._state.redacted(text)

    def is_plain(self, texts: Iterable[str]) -> bool:
        """Whether there is for certain nothing to redact in any of these; False says nothing."""
        return self._state.redactor.is_plain(texts)

    def redacted_reply(self, reply: Reply) -> Reply:
        """The reply as it may be stored; a text that is JSON stays JSON."""
        return self._state.redacted_reply(reply)

    def cited(self, text: str, parsed: Any) -> tuple[str, ...]:
        """Ids of the documents that a reply cites, as `require_citations` reads it."""
        return cited_documents(text, parsed, known=self._state.known)

    def enter(self, step: str) -> StepToken:
        """Begin a step of the route's `steps`; the one before it ends, and its token with it.

        The token is what later acts of the session rest on, whether or not it is passed to them.
        A route without steps lets every step begin, and restricts none. Raises PolicyBlocked for a
        step that the route does not have.
        """
        state = self._state
        state.enforce("step", state.permits.rule_entry(step))
        token = state.permits.enter(step)
        state.story.workflow_step = step
        return token

    async def retrieve(
        self, index: str, query: str, token: StepToken | None = None
    ) -> tuple[Document, ...]:
        """Documents of an index, best match first, as many as the route and the identity's scopes
        allow.

        Raises PolicyBlocked for an index that may not be read, ProviderError for one that does not
        answer, StoreError; Refused without the key of a service.
        """
        spans = self._state.trace.spans
        with spans.open("retrieval", index, query=query) as span:
            documents = await self._retrieval.retrieve(index, query, token)
            span.about["documents"] = [document.id for document in documents]
            span.about["read"] = documents
        return documents

    async def check_documents(
        self,
        index: str,
        query: str,
        documents: Sequence[Document],
        token: StepToken | None = None,
    ) -> tuple[Document, ...]:
        """Of documents that a program looked up itself, best match first, those that may be used.

        They are held to what `retrieve` holds its own to, and traced as it. Raises PolicyBlocked
        for an index that may not be read.
        """
        spans = self._state.trace.spans
        with spans.open("retrieval", index, query=query) as span:
            kept = await self._retrieval.retrieve(index, query, token, found=documents)
            span.about["documents"] = [document.id for document in kept]
            span.about["read"] = kept
        return kept

    def declare(self, tools: Sequence[Tool]) -> None:
        """Say which tools a model was offered elsewhere, so that calls of them can be authorized.

        `complete` and `stream` do so for those that they offer.
        """
        self._state.declared.update((tool.name, tool) for tool in tools)

    def prepare(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> PreparedCall:
        """The call that `complete` would make, priced, without making it or tracing it.

        Raises ConfigError for parameters that no prompt may set.
        """
        state = self._state
        foresight = Foresight(
            rules=state.rules,
            order=self._order,
            settings=self._settings,
            max_tokens=state.route.max_tokens,
            redactor=state.redactor,
            attribution=state.attribution,
        )
        return foresight.prepare(messages, tools=tools, params=params, output=output, trial=trial)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
        interim: bool = False,
    ) -> Completion:
        """Ask the route's model, and its fallbacks where the infrastructure fails.

        With `interim` a reply that asks for tools is a turn on the way to an answer: its text needs
        no form and no citations, and a call without proper arguments is for `authorize` to deny.

        Raises PolicyBlocked and InvalidReply (their `completion` holds the reply), ProviderError,
        BudgetExhausted; ConfigError for parameters that no prompt may set; StoreError.
        """
        return await self._generation.complete(
            messages, tools=tools, params=params, output=output, trial=trial, interim=interim
        )

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
        interim: bool = False,
    ) -> AsyncGenerator[Piece | Completion, None]:
        """Ask like `complete`, and hand the answer on as it comes: pieces, then the completion.

        A piece leaves once no policy can want it back (see acts/outflow.py), and once one has left
        no other model is asked. Closing the generator ends the call, which is charged for what had
        come. Raises what `complete` raises, also after pieces.
        """
        queue: asyncio.Queue[Piece | None] = asyncio.Queue()
        call = asyncio.ensure_future(
            self._generation.complete(
                messages,
                tools=tools,
                params=params,
                output=output,
                trial=trial,
                interim=interim,
                hand_on=queue.put_nowait,
            )
        )
        call.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (piece := await queue.get()) is not None:
                yield piece
            yield call.result()
        finally:
            call.cancel()
            # the hold of the call has ended when this returns
            await asyncio.wait([call])

    def authorize(self, call: ToolCall, token: StepToken | None = None) -> None:
        """Return if the call may be executed, and count it. Raises PolicyBlocked.

        `token` is the step's; without one the step that was entered last is meant.
        """
        with self._state.trace.spans.open("execute_tool", call.name, call=call):
            self._tools.authorize(call, token)

    def tool_result(
        self,
        call: ToolCall,
        result: Any,
        *,
        error: str | None = None,
        latency_s: float | None = None,
    ) -> Message:
        """The result of an authorized call, or its `error`, as the message that the model gets.

        A text stays one, everything else becomes JSON. It is redacted where the route says so, and
        traced. `latency_s` is what the tool took. Raises TypeError for what JSON cannot hold.
        """
        with self._state.trace.spans.resume(call, result=result, error=error):
            return self._tools.result(call, result, error=error, latency_s=latency_s)
