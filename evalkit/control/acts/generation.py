"""Generation: a question to a route's models, and what a reply goes through on its way back."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.control.acts.outflow import HandOn, Outflow
from evalkit.control.acts.state import SessionState
from evalkit.control.asking import Question, build_question
from evalkit.control.calling import Caller
from evalkit.control.checks import consult
from evalkit.control.foresight import KeptQuestions
from evalkit.control.outgoing import check_reply, parsed_json, trace_guardrails
from evalkit.control.output_schema import rule_output
from evalkit.control.policy import cited_documents
from evalkit.control.policy_input import reply_input, request_input
from evalkit.control.routing import RouteOrder, ask_in_order
from evalkit.control.ruling import Ruling
from evalkit.control.turns import rule_turn
from evalkit.errors import PolicyBlocked, SessionError
from evalkit.records.asset import Output, Tool
from evalkit.records.attempt import Step
from evalkit.records.call import Completion, Message, Reply


class GenerationAct:
    """Asks the models of one session in the `order` of its route."""

    def __init__(
        self,
        state: SessionState,
        order: RouteOrder,
        caller: Caller,
        kept: KeptQuestions | None = None,
    ) -> None:
        """`state` is the session's, `caller` makes and counts its calls, `kept` are questions that
        were put together before."""
        self._state = state
        self._order = order
        self._caller = caller
        self._kept = kept

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
        interim: bool,
        hand_on: HandOn | None = None,
    ) -> Completion:
        """As `ControlSession.complete`, or as `stream` where `hand_on` takes the pieces."""
        self._state.story.add_user_turns(messages)
        outflow = None if hand_on is None else Outflow(self._state, hand_on)
        try:
            completion = await self._complete(
                messages, tools, params, output, trial, interim, outflow
            )
            if outflow is not None:
                outflow.finish(completion)
        except SessionError as error:
            self._state.story.add(self._failed_step(error))
            raise
        self._state.story.add(_model_step(completion))
        return completion

    async def _complete(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
        interim: bool,
        outflow: Outflow | None,
    ) -> Completion:
        state = self._state
        question = self._question(messages, tools, params, output, trial)
        self._trace_cap(question)
        state.turns += 1
        for capped in rule_turn(state.route, state.turns, state.tokens, question.bound_tokens):
            self._enforce_before(capped)
        if state.checks:
            document = request_input(state.facts, question.messages, question.tools)
            for ruling in await consult(state.checks, document):
                self._enforce_before(ruling)
        state.declared.update((tool.name, tool) for tool in tools)
        billed_before = self._caller.billed_usd
        offer, reply, fallbacks = await ask_in_order(
            self._order,
            question,
            caller=self._caller,
            trace=state.trace,
            identity=state.identity,
            on_piece=None if outflow is None else outflow.take,
        )
        trace_guardrails(reply, kind=offer.model.provider.identity.split(" ")[0], trace=state.trace)
        state.tokens += reply.usage.total
        completion = Completion(
            reply=reply,
            model=offer.model.name,
            planned_model=self._order.models[0].name,
            key=offer.request.key,
            cost_usd=offer.model.cost_usd(reply.usage),
            billed_usd=self._caller.billed_usd - billed_before,
            fallbacks=fallbacks,
        )
        completion = self._screened(self._unsaid(completion))
        check_reply(
            completion,
            route=state.route,
            output=question.output,
            max_tokens=question.max_tokens,
            known=state.known,
            retrieved=state.retrieved,
            trace=state.trace,
            interim=interim,
            rule_answer=self._rule_answer,
        )
        if state.checks:
            await self._check_reply(completion)
        return completion

    def _said(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The messages without phrases that may not be said. Raises PolicyBlocked."""
        state = self._state
        screened, rulings = state.phrases.request(messages)
        for ruling in rulings:
            state.enforce("redact" if ruling.changes else "complete", ruling)
        return screened

    def _unsaid(self, completion: Completion) -> Completion:
        """The same for a reply. Raises PolicyBlocked, with what may be stored."""
        reply, rulings = self._state.phrases.reply(completion.reply, self._state.declared)
        self._enforce_on(completion, rulings)
        return _with_reply(completion, reply)

    def _rule_answer(self, content: str) -> Ruling | None:
        """Whether an answer meets the route's schema; None where the route has none."""
        state = self._state
        policy = state.answer_schema
        if policy is None:
            return None
        return rule_output(policy, state.output_schema, content, state.placeholders)

    async def _check_reply(self, completion: Completion) -> None:
        """Ask the policies that are written elsewhere. Raises PolicyBlocked."""
        state = self._state
        content = completion.content
        cited = cited_documents(content, parsed_json(content), known=state.known)
        document = reply_input(state.facts, completion, cited)
        self._enforce_on(completion, await consult(state.checks, document))

    def _enforce_before(self, ruling: Ruling) -> None:
        """Trace a ruling on a call that is not made yet. Raises PolicyBlocked."""
        self._state.enforce(
            "complete", msgspec.structs.replace(ruling, data={**ruling.data, "where": "request"})
        )

    def _enforce_on(self, completion: Completion, rulings: Sequence[Ruling]) -> None:
        """Trace rulings on a reply. Raises PolicyBlocked with the reply as it may be stored."""
        for ruling in rulings:
            try:
                self._state.enforce("redact" if ruling.changes else "complete", ruling)
            except PolicyBlocked as blocked:
                stored = self._state.redacted_reply(completion.reply)
                blocked.completion = msgspec.structs.replace(completion, reply=stored)
                raise

    def _failed_step(self, error: SessionError) -> Step:
        """The step of a call that gave no answer, or one that may not pass."""
        completion: Completion | None = getattr(error, "completion", None)
        if completion is None:
            step = Step(kind="model", name=self._order.models[0].name)
        else:
            step = _model_step(completion)
        rule: str | None = getattr(error, "rule", None)
        return msgspec.structs.replace(
            step, outcome="failed" if rule is None else "denied", rule=rule, message=str(error)
        )

    def _screened(self, completion: Completion) -> Completion:
        """The completion as it may be handed on. Raises PolicyBlocked, with what may be stored."""
        reply = completion.reply
        try:
            screened = self._state.screen.reply(reply)
        except PolicyBlocked as blocked:
            stored = self._state.redacted_reply(reply)
            raise PolicyBlocked(
                blocked.rule,
                str(blocked),
                completion=msgspec.structs.replace(completion, reply=stored),
            ) from None
        return _with_reply(completion, screened)

    def _question(
        self,
        messages: Sequence[Message],
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
    ) -> Question:
        """What is asked, as it may leave. Raises PolicyBlocked."""
        if self._kept is not None:
            kept = self._kept.take(messages, tools=tools, params=params, output=output, trial=trial)
            if kept is not None:
                return kept
        outgoing, outgoing_tools = self._state.screen.request(self._said(messages), tools)
        return build_question(
            outgoing,
            tools=outgoing_tools,
            params=params,
            output=output,
            trial=trial,
            route_max_tokens=self._state.route.max_tokens,
            attribution=self._state.attribution,
        )

    def _trace_cap(self, question: Question) -> None:
        asked = question.params.get("max_tokens")
        if asked is not None and asked > question.max_tokens:
            self._state.trace.add(
                "complete",
                "changed",
                "max_tokens",
                f"the prompt asks for up to {asked} tokens, the route allows {question.max_tokens}",
            )


def _with_reply(completion: Completion, reply: Reply) -> Completion:
    """The completion with that reply; most replies pass as they came."""
    if reply is completion.reply:
        return completion
    return msgspec.structs.replace(completion, reply=reply)


def _model_step(completion: Completion) -> Step:
    reply = completion.reply
    return Step(
        kind="model",
        name=completion.model,
        output=reply.content if reply.refusal is None else reply.refusal,
        usage=reply.usage,
        cost_usd=completion.cost_usd,
        latency_s=reply.latency_s,
    )
