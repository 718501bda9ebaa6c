"""The control plane of one route: what its sessions share, and how they are opened."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from evalkit.config.routes import Model, Route
from evalkit.control.asking import RouteModel
from evalkit.control.calling import CallSettings
from evalkit.control.checks import PolicyCheck
from evalkit.control.flights import Flights
from evalkit.control.foresight import Foresight, KeptQuestions
from evalkit.control.granting import Budgets, DistantCache, Way
from evalkit.control.prices import CallPrice
from evalkit.control.providers.faulty import FaultyProvider
from evalkit.control.redaction import Priming, Redactor
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.route_rules import rules_of
from evalkit.control.routing import RouteOrder
from evalkit.control.session import ControlSession
from evalkit.ports import Approvals, Cache, CallLog, Clock, EventSink, Provider
from evalkit.records.asset import Output, Tool
from evalkit.records.call import Attribution, Decision, Message, PreparedCall
from evalkit.records.case import Case, Document
from evalkit.records.ledger import KeyCaps, Scopes
from evalkit.records.span import Use

# A run opens several sessions over each of its cases; a service opens each over something new.
_REMEMBERED_CASES = 10_000


class ControlPlane:
    """Opens the sessions of one route: its routing, budget and policies.

    The same object serves a run and a service. Sessions may run at the same time; the ledger is
    what they share.
    """

    def __init__(
        self,
        route: Route,
        *,
        models: Mapping[str, Model],
        providers: Mapping[str, Provider],
        ledger: Budgets,
        cache: Cache | None,
        clock: Clock,
        timeout_s: float,
        retries: int,
        jitter: random.Random,
        emit: EventSink | None = None,
        catalogue: Catalogue | None = None,
        lanes: Mapping[str, Way] | None = None,
        places: Mapping[str, str] | None = None,
        approvals: Approvals | None = None,
        checks: Sequence[PolicyCheck] = (),
        output_schema: Any = None,
        flights: Flights | None = None,
        calls: CallLog | None = None,
    ) -> None:
        """`models` and `providers` are by the names that the route uses; each needs a provider.

        `timeout_s` is of one try, `retries` are further tries of one model, `emit` hears of them.
        `catalogue` has the indexes besides those that cases bring along.
        `lanes` are how live models are reached, where anything limits that; `places` are what the
        trace tells of where a model answers. `approvals` are given while sessions run; sessions
        over a case see its own and no other. `checks` are policies that are written elsewhere,
        `output_schema` is the content of the schema that `policies.output_schema` names. `flights`
        are told of every live call, for who watches them; `calls` is where they are written down.
        """
        self._route = route
        self._rules = rules_of(route)
        lanes, places = lanes or {}, places or {}
        made = {
            name: RouteModel(
                name=name,
                id=(known.id if (known := models.get(name)) else None) or name,
                price=CallPrice(known.price) if known and known.price else None,
                provider=providers[name],
                lane=lanes.get(name) if providers[name].origin == "live" else None,
                place=places.get(name, ""),
                broken=isinstance(providers[name], FaultyProvider),
            )
            for name in route.every_model
        }
        self._order = RouteOrder(
            models=tuple(made[name] for name in route.models.order),
            cheaper=tuple(made[name] for name in route.degrade.order) if route.degrade else (),
            on=frozenset(route.degrade.on if route.degrade else ()),
            after_s=route.degrade.after_s if route.degrade else 0.0,
        )
        self._settings = CallSettings(
            ledger=ledger,
            cache=cache,
            clock=clock,
            timeout_s=timeout_s,
            retries=retries,
            jitter=jitter,
            emit=emit,
            flights=flights,
            fetch=cache.fetch if isinstance(cache, DistantCache) else None,
            calls=calls,
        )
        self._catalogue = catalogue or Catalogue()
        self._approvals = approvals
        self._checks = tuple(checks)
        self._output_schema = output_schema
        self._primed: dict[int, tuple[Case, Redactor]] = {}
        self._priming: Priming | None = None
        self._kept = KeptQuestions()

    def prime_with(self, priming: Priming) -> None:
        """Sessions over cases ask `priming`, which all arms of a suite share, what a case holds."""
        self._priming = priming

    def opening(
        self,
        case: Case,
        *,
        suite: str,
        variant: str,
        prompt: str,
        step: str | None = None,
        keeping: bool = False,
    ) -> "SessionOpening":
        """A session as `open` opens it, for one that may not be needed: what its first call would
        be is known without it. In a `step` of the route it is opened at once, and raises the same.
        With `keeping` what is put together for that call is kept for sessions over the case, of
        which there are to be no more than MOST_KEPT.
        """
        opened = None
        if step is not None:
            opened = self.open(case, suite=suite, variant=variant, prompt=prompt, step=step)
        about = Attribution(suite=suite, variant=variant, case=case.id, prompt=prompt)
        return SessionOpening(self, case, about, opened, keeping)

    def open(
        self,
        case: Case,
        *,
        suite: str,
        variant: str,
        prompt: str,
        step: str | None = None,
        work: str = "",
    ) -> ControlSession:
        """A session for the case's identity, over the case's documents and approvals.

        `work` is what its calls are written down for, as `records.call_log` names it.

        It is in `step` of the route, where that is given. Raises PolicyBlocked for one that the
        route does not have.
        """
        session = self._session(
            case,
            self._primed_redactor(case),
            Attribution(suite=suite, variant=variant, case=case.id, prompt=prompt),
            self._scopes(case.identity, workflow=suite),
            work=work,
            kept=self._kept,
        )
        if step is not None:
            session.enter(step)
        return session

    def foresee(self, case: Case, attribution: Attribution, *, keeping: bool) -> Foresight:
        """What calls of a session over the case would be; with `keeping` as `opening` keeps."""
        return Foresight(
            rules=self._rules,
            order=self._order,
            settings=self._settings,
            max_tokens=self._route.max_tokens,
            redactor=self._primed_redactor(case),
            attribution=attribution,
            keeping=self._kept if keeping else None,
        )

    def forget(self, case: Case) -> None:
        """No further session is opened over the case."""
        self._primed.pop(id(case), None)

    def open_for(
        self,
        identity: Mapping[str, str],
        *,
        documents: Sequence[Document] = (),
        approvals: Mapping[str, Mapping[str, str]] | None = None,
        workflow: str = "",
        run: str = "",
        prompt: str = "",
        use: Use = "none",
        conversation: str = "",
        heard: Callable[[Decision], None] | None = None,
        key: str = "",
        caps: KeyCaps | None = None,
        trace_id: str = "",
    ) -> ControlSession:
        """A session outside a golden set: `documents` are what `retrieve` finds, `approvals` what
        was agreed to beforehand, by tool; `workflow` is whose budget it is under, `run` the run
        that it is to budgets of runs, by default the ledger's. `prompt`, `use` and `conversation`
        are for its trace; `heard` is told of every decision as it is made. `key` is the id of the
        gateway's key that it came with, `caps` are that key's own, `trace_id` is what its trace
        will be called."""
        case = Case(
            id="",
            input={},
            documents=tuple(documents),
            approvals={tool: dict(given) for tool, given in (approvals or {}).items()},
            identity=dict(identity),
        )
        return self._session(
            case,
            Redactor.primed_with(case),
            Attribution(prompt=prompt),
            self._scopes(identity, workflow=workflow, shared=True, run=run, key=key, caps=caps),
            use=use,
            conversation=conversation,
            heard=heard,
            approval_store=self._approvals,
            trace_id=trace_id,
        )

    def _scopes(
        self,
        identity: Mapping[str, str],
        *,
        workflow: str,
        shared: bool = False,
        run: str = "",
        key: str = "",
        caps: KeyCaps | None = None,
    ) -> Scopes:
        return Scopes(
            user=identity.get("user", ""),
            org=identity.get("org", ""),
            team=identity.get("team", ""),
            route=self._route.name,
            workflow=workflow,
            shared=shared,
            run=run,
            key=key,
            caps=caps,
        )

    def _session(
        self,
        case: Case,
        redactor: Redactor,
        attribution: Attribution,
        scopes: Scopes,
        *,
        use: Use = "none",
        conversation: str = "",
        heard: Callable[[Decision], None] | None = None,
        approval_store: Approvals | None = None,
        work: str = "",
        trace_id: str = "",
        kept: KeptQuestions | None = None,
    ) -> ControlSession:
        return ControlSession(
            route=self._route,
            rules=self._rules,
            order=self._order,
            settings=self._settings,
            redactor=redactor,
            documents=case.documents,
            approvals=case.approvals,
            attribution=attribution,
            identity=pseudonym(case.identity),
            scopes=scopes,
            use=use,
            conversation=conversation,
            heard=heard,
            catalogue=self._catalogue,
            may_read=self._catalogue.readable_by(case.identity),
            approval_store=approval_store,
            whose=case.identity,
            checks=self._checks,
            output_schema=self._output_schema,
            work=work,
            trace_id=trace_id,
            kept=kept,
        )

    def _primed_redactor(self, case: Case) -> Redactor:
        """What a case holds is looked for once, however many sessions are opened over it."""
        if self._priming is not None:
            return self._priming.redactor(case)
        known = self._primed.get(id(case))
        if known is None:
            if len(self._primed) >= _REMEMBERED_CASES:
                self._primed.clear()
            # the case is kept with it: an id may be used again once its object is gone
            known = self._primed[id(case)] = (case, Redactor.primed_with(case))
        return known[1].copy()


class SessionOpening(msgspec.Struct, frozen=True):
    """Implements ports.Opening: of one that is `opened`, or of one to come."""

    plane: ControlPlane
    case: Case
    attribution: Attribution
    opened: ControlSession | None
    keeping: bool

    def session(self) -> ControlSession:
        """The session. Whoever has it asks it himself from then on."""
        if self.opened is not None:
            return self.opened
        about = self.attribution
        return self.plane.open(
            self.case, suite=about.suite, variant=about.variant, prompt=about.prompt
        )

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
        asked = self.opened or self.plane.foresee(self.case, self.attribution, keeping=self.keeping)
        return asked.prepare(messages, tools=tools, params=params, output=output, trial=trial)


def pseudonym(identity: Mapping[str, str]) -> str:
    """A stable name for an identity that does not tell who it is; empty where there is none."""
    if not identity:
        return ""
    # A stored pseudonym tells one user's attempts from another's: to change this is to lose that.
    canonical = msgspec.json.encode(dict(identity), order="sorted")
    return "u-" + hashlib.sha256(canonical).hexdigest()[:10]
