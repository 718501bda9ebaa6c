"""What the acts of one session share: its route, its redactor, its trace, and what it has seen."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from evalkit.config.routes import Route
from evalkit.control.acts.story import Story
from evalkit.control.call_counts import CallCounts
from evalkit.control.checks import PolicyCheck
from evalkit.control.outgoing import redact_reply
from evalkit.control.permissions import StepPermits
from evalkit.control.policy_input import SessionFacts
from evalkit.control.redaction import Redactor
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.route_rules import RouteRules
from evalkit.control.ruling import Ruling
from evalkit.control.screening import Screen
from evalkit.control.trace import Trace
from evalkit.errors import PolicyBlocked
from evalkit.ports import Approvals, Clock
from evalkit.records.asset import Tool
from evalkit.records.call import Act, Attribution, Decision, Reply
from evalkit.records.case import Document


class SessionState:
    """One object a session. `known` are ids of documents it has heard of, `retrieved` those that
    the model may have read, `declared` the tools that were offered to it, `calls` counts the calls
    it was allowed, `turns` the questions it was asked and `tokens` what the answers used."""

    def __init__(
        self,
        *,
        route: Route,
        rules: RouteRules,
        clock: Clock,
        redactor: Redactor,
        documents: Sequence[Document],
        approvals: Mapping[str, Mapping[str, str]],
        attribution: Attribution,
        identity: str,
        catalogue: Catalogue,
        may_read: Collection[str],
        heard: Callable[[Decision], None] | None = None,
        approval_store: Approvals | None = None,
        whose: Mapping[str, str] | None = None,
        checks: Sequence[PolicyCheck] = (),
        output_schema: Any = None,
    ) -> None:
        """As `ControlSession` is given it."""
        self.approval_store = approval_store
        self.whose = whose or {}
        self.checks = tuple(checks)
        self.rules = rules
        self.phrases = rules.phrases
        self.answer_schema = rules.answer_schema
        self.output_schema = output_schema
        self.route = route
        self.clock = clock
        self.redactor = redactor
        self.documents = tuple(documents)
        self.known = {document.id for document in documents}
        self.approvals = approvals
        self.attribution = attribution
        self.identity = identity
        self.catalogue = catalogue
        self.may_read = may_read
        # nothing here refers back to the session: one that has ended is freed at once, and the
        # garbage collector, which stops everything for as long as it looks, has none to look for
        self.trace = Trace(clock, redactor.redact, name=route.name, heard=heard)
        self.story = Story(redactor)
        self.screen = Screen(rules.screen, redactor, self.trace)
        self.retrieved: set[str] = set()
        self.declared: dict[str, Tool] = {}
        self.calls = CallCounts()
        self.permits = StepPermits(route, clock)
        self.turns = 0
        self.tokens = 0

    def redacted(self, text: str) -> str:
        """The text as it may be stored."""
        return self.redactor.redact(text)

    def redacted_reply(self, reply: Reply) -> Reply:
        """The reply as it may be stored; a text that is JSON stays JSON."""
        return redact_reply(reply, self.redactor)

    @property
    def placeholders(self) -> dict[str, str]:
        """What each placeholder of this session stands for. Never stored, never sent."""
        return {name: value for _, value, name in self.redactor.knows}

    @property
    def facts(self) -> SessionFacts:
        """What policies that are written elsewhere get to know of the session."""
        return SessionFacts(
            route=self.route.name,
            identity=self.identity,
            whose=self.whose,
            step=self.permits.current,
            turns=self.turns,
            tool_calls=self.calls.authorized,
            total_tokens=self.tokens,
        )

    def enforce(self, act: Act, ruling: Ruling, **about: Any) -> None:
        """Trace a ruling, with what it is `about`. Raises PolicyBlocked where it stops the act."""
        data = {**ruling.data, **about}
        self.trace.add(act, ruling.outcome, ruling.rule, ruling.message, **data)
        if ruling.stops:
            raise PolicyBlocked(
                ruling.rule,
                self.redacted(ruling.message),
                approval=ruling.data.get("approval"),
            )
