"""What a call would be, before a session is opened for it: its request, its bounds, its price.

Nothing is asked, traced or set aside. What was put together for it is kept for the attempt that
asks it, in a run that is not large: to screen, bound and digest it again takes its time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from evalkit.control.asking import Offer, Question, build_question
from evalkit.control.calling import CallSettings, cache_key, salt_of
from evalkit.control.redaction import Redactor
from evalkit.control.route_rules import RouteRules
from evalkit.control.routing import RouteOrder
from evalkit.control.screening import Screen
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Attribution, Message, PreparedCall

MOST_KEPT = 4_096
"""Of more attempts nothing is kept: two kilobytes each, and of more cases none is held as an object
that could be met again."""

# tokens of all messages, by their upper bound, which are bytes
_ROOM = 16_000_000


class _Kept(msgspec.Struct):
    """A question with all that it was made of, as it was given."""

    messages: Sequence[Message]
    tools: Sequence[Tool]
    params: Mapping[str, Any] | None
    output: Output | None
    question: Question


class KeptQuestions:
    """Questions of which policies had nothing to say, each for one session that asks the same.

    The same are the very objects that it was made of: whoever makes new ones of the same content
    has a new question made as well.
    """

    def __init__(self) -> None:
        """None yet."""
        self._kept: dict[tuple[int, int], _Kept] = {}
        self._room = _ROOM

    def keep(
        self,
        question: Question,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
    ) -> None:
        """Keep it while all have room; what is given here must not be changed by anybody."""
        self._room -= question.bound_tokens
        if self._room > 0:
            # an object that is kept shares its id with no other
            self._kept[id(messages), trial] = _Kept(messages, tools, params, output, question)
        else:
            self._kept.clear()

    def take(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool],
        params: Mapping[str, Any] | None,
        output: Output | None,
        trial: int,
    ) -> Question | None:
        """The question that was made of these very objects, and keep it no longer."""
        kept = self._kept.get((id(messages), trial))
        if kept is None or not (
            kept.messages is messages
            and kept.tools is tools
            and kept.params is params
            and kept.output is output
        ):
            return None
        del self._kept[id(messages), trial]
        self._room += kept.question.bound_tokens
        return kept.question


class Foresight:
    """What calls of one session would be."""

    __slots__ = (
        "_attribution",
        "_keeping",
        "_max_tokens",
        "_order",
        "_redactor",
        "_rules",
        "_settings",
    )

    def __init__(
        self,
        *,
        rules: RouteRules,
        order: RouteOrder,
        settings: CallSettings,
        max_tokens: int | None,
        redactor: Redactor,
        attribution: Attribution,
        keeping: KeptQuestions | None = None,
    ) -> None:
        """`rules`, `order` and the cap `max_tokens` are the route's, `settings` its plane's,
        `redactor` and `attribution` the session's. Questions are left with `keeping`."""
        self._rules = rules
        self._order = order
        self._settings = settings
        self._max_tokens = max_tokens
        self._redactor = redactor
        self._attribution = attribution
        self._keeping = keeping

    def prepare(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        params: Mapping[str, Any] | None = None,
        output: Output | None = None,
        trial: int = 1,
    ) -> PreparedCall:
        """As `ControlSession.prepare`."""
        said, rulings = self._rules.phrases.request(messages)
        for ruling in rulings:
            if ruling.stops:
                raise PolicyBlocked(ruling.rule, ruling.message)
        screen = Screen(self._rules.screen, self._redactor)
        outgoing, outgoing_tools = screen.request(said, tools)
        question = build_question(
            outgoing,
            tools=outgoing_tools,
            params=params,
            output=output,
            trial=trial,
            route_max_tokens=self._max_tokens,
            attribution=self._attribution,
        )
        if self._keeping is not None and not (rulings or screen.met):
            self._keeping.keep(
                question, messages, tools=tools, params=params, output=output, trial=trial
            )
        models = self._order.models
        # in a drill the plan is of the model that would answer
        offer = question.offer_to(next((each for each in models if not each.broken), models[0]))
        provider = offer.model.provider
        missing = provider.missing(offer.request)
        cached = self._is_cached(offer)
        return PreparedCall(
            request=offer.request,
            model=offer.model.name,
            provider=provider.name,
            origin="cache" if cached else provider.origin,
            input_tokens=offer.input_tokens,
            output_tokens=offer.output_tokens,
            max_cost_usd=offer.max_cost_usd,
            max_output_cost_usd=offer.max_output_cost_usd,
            missing=None if cached else missing,
        )

    def _is_cached(self, offer: Offer) -> bool:
        cache = self._settings.cache
        if cache is None or offer.model.provider.origin != "live":
            return False
        key = cache_key(offer.request.key, salt_of(self._redactor.knows))
        return cache.get(key) is not None
