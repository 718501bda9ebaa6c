"""What passes between a route and its models: personal data and secrets, by the route's modes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from evalkit.config.routes import PiiKind, Policies, ScreenMode
from evalkit.control.outgoing import redact_call, redact_reply
from evalkit.control.redaction import Redactor
from evalkit.control.trace import Trace
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from evalkit.records.call import DecisionOutcome, Message, Reply
from evalkit.records.placeholder import PlaceholderKind

PII_KINDS: Mapping[PiiKind, tuple[PlaceholderKind, ...]] = {
    "email": ("EMAIL",),
    "phone": ("PHONE",),
    "card": ("CARD",),
    "iban": ("IBAN",),
    "national_id": ("SSN", "NATIONAL_ID"),
    "ip": ("IP",),
}
_PII: tuple[PlaceholderKind, ...] = tuple(kind for kinds in PII_KINDS.values() for kind in kinds)
_SECRETS: tuple[PlaceholderKind, ...] = ("SECRET",)
_OUTCOMES: Mapping[ScreenMode, DecisionOutcome] = {
    "redact": "changed",
    "block": "denied",
    "warn": "warned",
}
_Screened = TypeVar("_Screened")


class ScreenRule(NamedTuple):
    """What is done with some kinds of findings, and the configuration key that says so."""

    key: str
    mode: ScreenMode
    kinds: tuple[PlaceholderKind, ...]


def screen_rules(policies: Policies) -> tuple[ScreenRule, ...]:
    """The rules of a route's policies; a kind that none of them names passes as it is."""
    rules = []
    if policies.pii is not None:
        wanted = policies.pii.kinds or list(PII_KINDS)
        kinds = tuple(kind for each in PII_KINDS if each in wanted for kind in PII_KINDS[each])
        rules.append(ScreenRule("policies.pii", policies.pii.mode, kinds))
    elif policies.pii_redaction:
        kinds = _PII if policies.secrets is not None else (*_PII, *_SECRETS)
        rules.append(ScreenRule("policies.pii_redaction", "redact", kinds))
    if policies.secrets is not None:
        rules.append(ScreenRule("policies.secrets", policies.secrets.mode, _SECRETS))
    return tuple(rules)


@lru_cache(maxsize=256)
def _replaced_kinds(rules: tuple[ScreenRule, ...]) -> frozenset[PlaceholderKind]:
    return frozenset(kind for rule in rules if rule.mode == "redact" for kind in rule.kinds)


class Screen:
    """Screens all text of one session, in both directions, and traces what it met.

    `met` tells whether it met anything yet.
    """

    def __init__(
        self, rules: Sequence[ScreenRule], redactor: Redactor, trace: Trace | None = None
    ) -> None:
        """`redactor` is the session's: what it knows has the same placeholder here. Without a
        trace nothing is traced."""
        self.met = False
        self._rules = rules
        self._redactor = redactor
        self._replaced = _replaced_kinds(tuple(rules)) if rules else frozenset()
        self._trace = trace

    def request(
        self, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> tuple[Sequence[Message], Sequence[Tool]]:
        """Messages and tools as they may leave. Raises PolicyBlocked where they may not."""
        return self._screened(
            "request",
            (messages, tools),
            lambda redactor: (
                [screened_message(message, redactor) for message in messages],
                [_screened_tool(tool, redactor) for tool in tools],
            ),
        )

    def reply(self, reply: Reply) -> Reply:
        """The reply as it may be handed on. Raises PolicyBlocked, without it, where it may not."""
        return self._screened("reply", reply, lambda redactor: redact_reply(reply, redactor))

    def value(self, value: Any, where: str) -> Any:
        """JSON, such as a tool's result, as it may be handed on. Raises PolicyBlocked.

        `where` says what it is, in words: "result of lookup".
        """
        return self._screened(where, value, lambda redactor: redactor.redact_value(value))

    def _screened(
        self,
        where: str,
        given: _Screened,
        redacted: Callable[[Redactor], _Screened],
    ) -> _Screened:
        if not self._rules:
            return given
        redactor = self._redactor.limited_to(self._replaced)
        screened = redacted(redactor)
        if not (redactor.kept or redactor.replaced):
            return screened
        self.met = True
        met: Counter[str] = Counter(kind for kind, _ in redactor.kept)
        met.update(redactor.replaced)
        blocked = None
        for rule in self._rules:
            counts = {kind: met[kind] for kind in sorted(rule.kinds) if met[kind]}
            if not counts:
                continue
            message = f"in the {where}: {', '.join(f'{n} {kind}' for kind, n in counts.items())}"
            if self._trace is not None:
                self._trace.add(
                    "redact",
                    _OUTCOMES[rule.mode],
                    rule.key,
                    message,
                    where=where,
                    **{"replaced" if rule.mode == "redact" else "found": counts},
                )
            if rule.mode == "block" and blocked is None:
                blocked = PolicyBlocked(rule.key, message)
        if blocked is not None:
            raise blocked
        return screened


def screened_message(message: Message, redactor: Redactor) -> Message:
    """The message redacted: its text, and the calls that it asks for. A tool's result that is JSON
    stays JSON."""
    redact = redactor.redact_json if message.role == "tool" else redactor.redact
    content = redact(message.content)
    if content == message.content and not message.tool_calls:
        return message
    return msgspec.structs.replace(
        message,
        content=content,
        tool_calls=tuple(redact_call(call, redactor) for call in message.tool_calls),
    )


def _screened_tool(tool: Tool, redactor: Redactor) -> Tool:
    return msgspec.structs.replace(
        tool,
        description=redactor.redact(tool.description),
        parameters=redactor.redact_value(tool.parameters),
    )
