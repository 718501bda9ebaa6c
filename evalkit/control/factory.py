"""The control plane of one route: what its sessions share, and how they are opened."""

import hashlib
import random
from collections.abc import Mapping, Sequence

import msgspec

from evalkit.config.routes import Model, Route
from evalkit.control.asking import RouteModel
from evalkit.control.calling import CallSettings
from evalkit.control.ledger.book import Ledger
from evalkit.control.redaction import Redactor
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.session import ControlSession
from evalkit.ports import Cache, Clock, EventSink, Provider
from evalkit.records.call import Attribution
from evalkit.records.case import Case, Document
from evalkit.records.ledger import Scopes

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
        ledger: Ledger,
        cache: Cache | None,
        clock: Clock,
        timeout_s: float,
        retries: int,
        jitter: random.Random,
        emit: EventSink | None = None,
        catalogue: Catalogue | None = None,
    ) -> None:
        """`models` and `providers` are by the names that the route uses; each needs a provider.

        `timeout_s` is of one try, `retries` are further tries of one model, `emit` hears of them.
        `catalogue` has the indexes besides those that cases bring along.
        """
        self._route = route
        self._models = tuple(
            _route_model(name, models.get(name), providers[name]) for name in route.models.order
        )
        self._settings = CallSettings(
            ledger=ledger,
            cache=cache,
            clock=clock,
            timeout_s=timeout_s,
            retries=retries,
            jitter=jitter,
            emit=emit,
        )
        self._catalogue = catalogue or Catalogue()
        self._primed: dict[int, tuple[Case, Redactor]] = {}

    def open(self, case: Case, *, suite: str, variant: str, prompt: str) -> ControlSession:
        """A session for the case's identity, over the case's documents and approvals."""
        return self._session(
            case,
            self._primed_redactor(case).copy(),
            Attribution(suite=suite, variant=variant, case=case.id, prompt=prompt),
            self._scopes(case.identity, workflow=suite),
        )

    def open_for(
        self,
        identity: Mapping[str, str],
        *,
        documents: Sequence[Document] = (),
        approvals: Mapping[str, Mapping[str, str]] | None = None,
        workflow: str = "",
    ) -> ControlSession:
        """A session outside a golden set: `documents` are what `retrieve` finds, `approvals` what
        was agreed to beforehand, by tool; `workflow` is whose budget it is under."""
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
            Attribution(),
            self._scopes(identity, workflow=workflow, shared=True),
        )

    def _scopes(
        self, identity: Mapping[str, str], *, workflow: str, shared: bool = False
    ) -> Scopes:
        return Scopes(
            user=identity.get("user", ""),
            org=identity.get("org", ""),
            team=identity.get("team", ""),
            route=self._route.name,
            workflow=workflow,
            shared=shared,
        )

    def _session(
        self, case: Case, redactor: Redactor, attribution: Attribution, scopes: Scopes
    ) -> ControlSession:
        return ControlSession(
            route=self._route,
            models=self._models,
            settings=self._settings,
            redactor=redactor,
            documents=case.documents,
            approvals=case.approvals,
            attribution=attribution,
            identity=pseudonym(case.identity),
            scopes=scopes,
            catalogue=self._catalogue,
            may_read=self._catalogue.readable_by(case.identity),
        )

    def _primed_redactor(self, case: Case) -> Redactor:
        """What a case holds is looked for once, however many sessions are opened over it."""
        known = self._primed.get(id(case))
        if known is None:
            if len(self._primed) >= _REMEMBERED_CASES:
                self._primed.clear()
            # the case is kept with it: an id may be used again once its object is gone
            known = self._primed[id(case)] = (case, Redactor.primed_with(case))
        return known[1]


def pseudonym(identity: Mapping[str, str]) -> str:
    """A stable name for an identity that does not tell who it is; empty where there is none."""
    if not identity:
        return ""
    # A stored pseudonym tells one user's attempts from another's: to change this is to lose that.
    canonical = msgspec.json.encode(dict(identity), order="sorted")
    return "u-" + hashlib.sha256(canonical).hexdigest()[:10]


def _route_model(name: str, model: Model | None, provider: Provider) -> RouteModel:
    known_id = None if model is None else model.id
    return RouteModel(
        name=name,
        id=known_id or name,
        price=None if model is None else model.price,
        provider=provider,
    )
