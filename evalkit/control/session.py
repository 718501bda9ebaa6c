"""The session: one workflow on one route for one identity, and the three acts it guards."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.config.routes import Route
from evalkit.control.asking import Question, RouteModel, build_question
from evalkit.control.calling import Caller, CallSettings
from evalkit.control.outgoing import check_reply, redact_reply
from evalkit.control.policy import (
    Ruling,
    cited_documents,
    cut_chunks,
    rule_retrieval,
    rule_tool_call,
)
from evalkit.control.prices import call_cost_usd
from evalkit.control.redaction import Redactor
from evalkit.control.retrieval import rank
from evalkit.control.routing import ask_in_order
from evalkit.control.trace import Trace
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Output, Tool
from evalkit.records.call import (
    Act,
    Attribution,
    Completion,
    Decision,
    Message,
    PreparedCall,
    Reply,
    ToolCall,
)
from evalkit.records.case import Document


class ControlSession:
    """Implements ports.Session. A session belongs to one workflow; its acts follow each other."""

    def __init__(
        self,
        *,
        route: Route,
        models: Sequence[RouteModel],
        settings: CallSettings,
        redactor: Redactor,
        documents: Sequence[Document],
        approvals: Mapping[str, Mapping[str, str]],
        attribution: Attribution,
        identity: str,
    ) -> None:
        """Made by `ControlPlane`. `models` are in the route's order, `identity` is a pseudonym."""
        self._route = route
        self._models = tuple(models)
        self._redactor = redactor
        self._documents = tuple(documents)
        self._known = frozenset(document.id for document in documents)
        self._approvals = approvals
        self._attribution = attribution
        self._identity = identity
        self._trace = Trace(settings.clock, self.redacted)
        self._caller = Caller(
            settings,
            self._trace,
            storable=self.redacted_reply,
            knows=redactor.knows,
        )
        self._retrieved: set[str] = set()
        self._declared: dict[str, Tool] = {}
        self._authorized = 0

    @property
    def identity(self) -> str:
        """The pseudonym of whom the session is for; empty where that is nobody."""
        return self._identity

    @property
    def decisions(self) -> Sequence[Decision]:
        """The trace so far."""
        return tuple(self._trace.decisions)

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
        return self._redactor.redact(text)

    def redacted_reply(self, reply: Reply) -> Reply:
        """The reply as it may be stored; a text that is JSON stays JSON."""
        return redact_reply(reply, self._redactor)

    def cited(self, text: str, parsed: Any) -> tuple[str, ...]:
        """Ids of the documents that a reply cites, as `require_citations` reads it."""
        return cited_documents(text, parsed, known=self._known)

    async def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        """Documents of an index, best match first, at most `retrieval.max_chunks` of them.

        Raises PolicyBlocked for an index that the route may not read.
        """
        self._enforce("retrieve", rule_retrieval(self._route, index))
        ranked = rank([each for each in self._documents if each.index == index], query)
        kept = cut_chunks(self._route, ranked)
        self._retrieved.update(document.id for document in kept)
        self._trace.add(
            "retrieve",
            "changed" if len(kept) < len(ranked) else "allowed",
            "retrieval.max_chunks",
            f"{len(kept)} of {len(ranked)} documents of index {index}",
            documents=[document.id for document in kept],
            dropped=[document.id for document in ranked[len(kept) :]],
        )
        return kept

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
        question = self._question(self._outgoing(messages), tools, params, output, trial)
        offer = question.offer_to(self._models[0])
        provider = offer.model.provider
        return PreparedCall(
            request=offer.request,
            model=offer.model.name,
            provider=provider.name,
            origin=provider.origin if self._caller.cached(offer) is None else "cache",
            input_tokens=offer.input_tokens,
            output_tokens=offer.output_tokens,
            max_cost_usd=offer.max_cost_usd,
            max_output_cost_usd=offer.max_output_cost_usd,
            missing=provider.missing(offer.request),
        )

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> Completion:
        """Ask the route's model, and its fallbacks where the infrastructure fails.

        Raises PolicyBlocked and InvalidReply (their `completion` holds the reply), ProviderError,
        BudgetExhausted; ConfigError for parameters that no prompt may set; StoreError.
        """
        self._redactor.replaced.clear()
        outgoing = self._outgoing(messages)
        self._trace_redaction("request")
        question = self._question(outgoing, tools, params, output, trial)
        self._trace_cap(question)
        self._declared.update((tool.name, tool) for tool in question.tools)
        billed_before = self.billed_usd
        offer, reply, fallbacks = await ask_in_order(
            self._models,
            question,
            caller=self._caller,
            trace=self._trace,
            identity=self._identity,
        )
        if self._route.policies.pii_redaction:
            self._redactor.replaced.clear()
            reply = self.redacted_reply(reply)
            self._trace_redaction("reply")
        completion = Completion(
            reply=reply,
            model=offer.model.name,
            planned_model=self._models[0].name,
            key=offer.request.key,
            cost_usd=call_cost_usd(offer.model.price, reply.usage),
            billed_usd=self.billed_usd - billed_before,
            fallbacks=fallbacks,
        )
        check_reply(
            completion,
            route=self._route,
            output=question.output,
            max_tokens=question.max_tokens,
            known=self._known,
            retrieved=self._retrieved,
            trace=self._trace,
        )
        return completion

    def authorize(self, call: ToolCall) -> None:
        """Return if the call may be executed, and count it. Raises PolicyBlocked."""
        ruling = rule_tool_call(
            self._route,
            call,
            declared=self._declared,
            authorized=self._authorized,
            approvals=self._approvals,
        )
        self._enforce("authorize", ruling)
        self._authorized += 1

    def _enforce(self, act: Act, ruling: Ruling) -> None:
        self._trace.add(act, ruling.outcome, ruling.rule, ruling.message)
        if not ruling.allowed:
            raise PolicyBlocked(ruling.rule, self.redacted(ruling.message))

    def _outgoing(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages as they may leave."""
        if not self._route.policies.pii_redaction:
            return messages
        return [
            msgspec.structs.replace(message, content=self.redacted(message.content))
            for message in messages
        ]

    def _question(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
    ) -> Question:
        return build_question(
            messages,
            tools=tools,
            params=params,
            output=output,
            trial=trial,
            route_max_tokens=self._route.max_tokens,
            attribution=self._attribution,
        )

    def _trace_cap(self, question: Question) -> None:
        asked = question.params.get("max_tokens")
        if asked is not None and asked > question.max_tokens:
            self._trace.add(
                "complete",
                "changed",
                "max_tokens",
                f"the prompt asks for up to {asked} tokens, the route allows {question.max_tokens}",
            )

    def _trace_redaction(self, what: str) -> None:
        """Tell what was replaced since the count was cleared."""
        replaced = dict(sorted(self._redactor.replaced.items()))
        if replaced:
            self._trace.add(
                "redact",
                "changed",
                "policies.pii_redaction",
                f"in the {what}: {', '.join(f'{n} {kind}' for kind, n in replaced.items())}",
                where=what,
                replaced=replaced,
            )
