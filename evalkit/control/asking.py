"""A question on its way to a model: redacted, capped and bounded, before it is known which one."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.control.granting import Way
from evalkit.control.prices import CallPrice
from evalkit.control.requests import build_request, cap_output, check_params
from evalkit.control.tokens import bound_tokens
from evalkit.ports import Provider
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Attribution, Message, Request, Usage

_SURROGATE = re.compile(r"[\ud800-\udfff]")


class RouteModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of a route: its configured name, what its provider calls it, what it costs.

    `lane` is how a live one is reached; `place` is what the trace tells of where it answers. A
    `broken` one fails on purpose, in a drill.
    """

    name: str
    id: str
    price: CallPrice | None
    provider: Provider
    lane: Way | None = None
    place: str = ""
    broken: bool = False

    def cost_usd(self, usage: Usage) -> float | None:
        """The list price in USD of what was used, None without a price."""
        return None if self.price is None else self.price.cost_usd(usage)


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A request to one model with its bounds; `input_tokens` by part, `output_tokens` the cap.

    `max_tokens` is the upper bound of all tokens of one call, `max_output_cost_usd` the list price
    of the output cap and `max_cost_usd` that of both bounds, None without a price. `degradable`
    tells that a cheaper model can be asked instead, to whom budgets that degrade leave a share.
    """

    model: RouteModel
    request: Request
    input_tokens: dict[str, int]
    output_tokens: int
    max_tokens: int
    max_output_cost_usd: float | None
    max_cost_usd: float | None
    degradable: bool = False


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, of whichever model. Messages are as they may leave.

    `offers` are those that were made of it, by the model's name.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    params: Mapping[str, Any]
    output: Output
    trial: int
    max_tokens: int
    input_tokens: dict[str, int]
    attribution: Attribution
    offers: dict[str, Offer] = msgspec.field(default_factory=dict)

    @property
    def bound_tokens(self) -> int:
        """The upper bound of all tokens of one call, whichever model answers."""
        return sum(self.input_tokens.values()) + self.max_tokens

    def offer_to(self, model: RouteModel, *, degradable: bool = False) -> Offer:
        """The request to one model; `degradable` where a cheaper one can be asked instead."""
        made = self.offers.get(model.name)
        if made is not None and made.model is model and made.degradable == degradable:
            return made
        made = self.offers[model.name] = self._offer_to(model, degradable)
        return made

    def _offer_to(self, model: RouteModel, degradable: bool) -> Offer:
        input_tokens = sum(self.input_tokens.values())
        output_usd = whole_usd = None
        if model.price is not None:
            output_usd = model.price.output_bound_usd(self.max_tokens, input_tokens=input_tokens)
            whole_usd = model.price.input_bound_usd(input_tokens) + output_usd
        return Offer(
            model=model,
            degradable=degradable,
            request=build_request(
                identity=model.provider.identity,
                model_id=model.id,
                messages=self.messages,
                tools=self.tools,
                params=self.params,
                max_tokens=self.max_tokens,
                output=self.output,
                trial=self.trial,
                attribution=self.attribution,
            ),
            input_tokens=self.input_tokens,
            output_tokens=self.max_tokens,
            max_tokens=input_tokens + self.max_tokens,
            max_output_cost_usd=output_usd,
            max_cost_usd=whole_usd,
        )


def build_question(
    messages: Sequence[Message],
    *,
    tools: Sequence[Tool],
    params: Mapping[str, Any] | None,
    output: Output | None,
    trial: int,
    route_max_tokens: int | None,
    attribution: Attribution,
) -> Question:
    """A question with its output cap and its bounds.

    Raises ConfigError for parameters that no prompt may set.
    """
    params = params or {}
    output = output or Output()
    check_params(params)
    messages = tuple(_sendable(message) for message in messages)
    return Question(
        messages=messages,
        tools=tuple(tools),
        params=params,
        output=output,
        trial=trial,
        max_tokens=cap_output(params, route_max_tokens),
        input_tokens=bound_tokens(
            messages, tools=tools, schema=output.schema if output.kind == "json" else None
        ),
        attribution=attribution,
    )


def _sendable(message: Message) -> Message:
    """The message; a lone surrogate, which no request can hold, becomes a question mark."""
    text = message.content
    if text.isascii() or not _SURROGATE.search(text):
        return message
    return msgspec.structs.replace(message, content=text.encode("utf-8", "replace").decode())
