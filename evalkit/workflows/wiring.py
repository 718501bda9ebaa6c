"""The composition root: the one place that builds clocks, transports, providers and sessions."""

import asyncio
import os
import random
import secrets
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalkit.config.model import Config
from evalkit.config.residence import region_of
from evalkit.config.routes import HTTP_KINDS, Model, Provider, Route
from evalkit.control.factory import ControlPlane
from evalkit.control.flights import Flights
from evalkit.control.granting import Budgets, Way
from evalkit.control.ledger.book import Ledger
from evalkit.control.providers.faulty import Fault, FaultyProvider
from evalkit.control.providers.identity import identity_of
from evalkit.control.traffic import Traffic
from evalkit.errors import Refused
from evalkit.ports import Accounts, Approvals, Cache, CallLog, Clock, EventSink, StreamingTransport
from evalkit.ports import Provider as ProviderPort
from evalkit.records.index import IndexContent
from evalkit.workflows.index_wiring import IndexWiring
from evalkit.workflows.policy_wiring import PolicyWiring
from evalkit.workflows.setup.faults import PRIMARY
from evalkit.workflows.setup.list_prices import ListPrices
from evalkit.workflows.setup.targets import ProgramWiring

OPENAI_URL = HTTP_KINDS["openai"]


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class Wiring:
    """Builds what a run needs and closes it again. One provider object a configured provider.

    `environ` is where keys are looked for; `live` asks models that have recordings themselves;
    while `offline` is set, no model is asked that the cache would have to answer for.
    """

    def __init__(
        self,
        root: Path,
        *,
        live: bool = False,
        clock: Clock | None = None,
        transport: StreamingTransport | None = None,
        environ: Mapping[str, str] = os.environ,
        traffic: Traffic | None = None,
        alone: bool = False,
    ) -> None:
        """Nothing is opened before it is needed. `traffic` is the process's, to share it; `alone`
        tells that the process is there for this and nothing else.
        """
        self.root = root
        self.live = live
        self.clock = clock or SystemClock()
        self.environ = environ
        self.traffic = traffic or Traffic(self.clock)
        self.flights = Flights(self.clock)
        self._transport = transport
        self._alone = alone
        self._providers: dict[str, ProviderPort] = {}
        self._wrap: Callable[[ProviderPort], ProviderPort] | None = None
        self._faults: Mapping[str, Fault] = {}
        self.broken: dict[str, set[str]] = {}
        self.offline = False
        self._indexes = IndexWiring(root, clock=self.clock, environ=environ)
        self._policies = PolicyWiring(environ=environ)
        self._ledgers: list[Ledger] = []
        self.prices = ListPrices(root, self.clock)
        self.programs = ProgramWiring(root, environ=environ, transport=self.transport)

    def watch(self, wrap: Callable[[ProviderPort], ProviderPort]) -> None:
        """Put something around every provider that is built from now on."""
        self._wrap = wrap

    def drill(self, faults: Mapping[str, Fault]) -> None:
        """Break providers on purpose from now on: by name, or as `primary` that of the first model
        of every route that is tested. `broken` then tells which ones each fault came to stand for.
        """
        self._faults = dict(faults)

    def ledger(
        self,
        config: Config,
        *,
        run: str | None = None,
        spent: tuple[float, int] = (0.0, 0),
        service: bool = False,
    ) -> Ledger:
        """What calls are held and charged in: the project's file where a budget is over more than
        one run.

        `run` names the run that a budget of scope run is over, by default one of its own; `spent`
        are the USD and tokens of its earlier part; `service` tells that it is for sessions outside
        of runs: each is a run of its own, and its calls may come with a key of the gateway, which
        may have caps of its own. The file is opened when a call needs it.
        """
        name = run or f"call-{secrets.token_hex(8)}"
        accounts: Accounts | None = None
        if service or any(budget.period != "run" for budget in config.budgets):
            from evalkit.control.ledger.parted import PartedAccounts
            from evalkit.store.ledger import SqliteAccounts

            accounts = PartedAccounts(SqliteAccounts(self.root, clock=self.clock, run=name))
        ledger = Ledger(
            config.budgets,
            accounts=accounts,
            clock=self.clock,
            run=name,
            spent_usd=spent[0],
            spent_tokens=spent[1],
        )
        self._ledgers.append(ledger)
        return ledger

    def control_plane(
        self,
        config: Config,
        route: Route,
        *,
        suite: str,
        ledger: Budgets,
        cache: Cache | None,
        emit: EventSink | None = None,
        tested: bool = False,
        may_ask: bool = True,
        indexes: Mapping[str, IndexContent] | None = None,
        approvals: Approvals | None = None,
        output_schema: dict[str, Any] | None = None,
        policy_code: Mapping[str, str] | None = None,
        calls: CallLog | None = None,
    ) -> ControlPlane:
        """The control core for one route under one configuration.

        `tested` tells that the route is what a run measures, not its judge's: a drill of `primary`
        is of such routes. `indexes` are those over folders that its sessions may ask, `approvals`
        what people grant while they run; no run of a golden set has any. `output_schema` is the
        content of the route's, `policy_code` its Rego files by path; by default those in the
        working tree. Without `may_ask` its sessions may never ask a model, as a program's: one that
        cannot be reached is then told when it is asked. `calls` is where a run writes its calls
        down.

        Raises Refused for a model that cannot be reached: unknown, or its key is not set; and for
        one that the route may not ask, by its regions or because its data has to stay.
        """
        for name, reason in config.refused(route).items():
            raise Refused(f"route {route.name} may not ask model {name!r}: {reason}")
        if not route.models.order:
            raise Refused(f"route {route.name} has no model: none of its tier may be asked")
        models = self.prices.priced(config).models
        return ControlPlane(
            route,
            models={name: models[name] for name in route.every_model if name in models},
            providers={
                name: self._provider_of(
                    config, name, suite=suite, route=route if tested else None, may_ask=may_ask
                )
                for name in route.every_model
            },
            ledger=ledger,
            cache=cache,
            clock=self.clock,
            timeout_s=config.run.timeout_s,
            retries=config.run.retries,
            jitter=random.Random(),
            emit=emit,
            flights=self.flights,
            calls=calls,
            catalogue=self._indexes.catalogue(
                config, route, indexes or {}, transport=self.transport
            ),
            lanes={
                name: self.lane(config, name, config.models[name]) for name in route.every_model
            },
            places={
                name: self._place(config, name, config.models[name]) for name in route.every_model
            },
            approvals=approvals,
            output_schema=output_schema or self._output_schema(route),
            checks=self._policies.checks(route, policy_code or self._policy_code(route)),
        )

    def _output_schema(self, route: Route) -> dict[str, Any] | None:
        """The schema in the working tree that a route holds answers to. Raises ConfigError."""
        policy = route.policies.answer_schema
        if policy is None:
            return None
        from evalkit.sources.schemas import read_schema
        from evalkit.sources.tree import WorkingTree

        return read_schema(WorkingTree(self.root), policy.json_schema)

    def _policy_code(self, route: Route) -> Mapping[str, str]:
        """The Rego files in the working tree that a route names. Raises ConfigError."""
        if route.policies.rego is None:
            return {}
        from evalkit.sources.route_files import read_policy_code
        from evalkit.sources.tree import WorkingTree

        return read_policy_code(WorkingTree(self.root), route)

    def lane(self, config: Config, name: str, model: Model) -> Way:
        """How a model is reached, by what is configured: a drill goes the way of real calls."""
        by, settings = self._asked(config, name, model)
        return self.traffic.lane(
            by,
            identity_of(settings.kind, base_url=settings.address),
            model.id or name,
            limits=settings.limits,
            breaker=config.breaker,
        )

    def _place(self, config: Config, name: str, model: Model) -> str:
        """Where a model answers, for the trace; empty where nobody says."""
        by, _ = self._asked(config, name, model)
        region = region_of(model, by, config.providers)
        return f", region {region}" if region else ""

    def _asked(self, config: Config, name: str, model: Model) -> tuple[str, Provider]:
        """The provider that is asked for a model; its own where a drill stands in for it."""
        try:
            return self.chosen(config, name, model)
        except Refused:
            return model.provider, config.providers[model.provider]

    def _provider_of(
        self, config: Config, model: str, *, suite: str, route: Route | None, may_ask: bool
    ) -> ProviderPort:
        try:
            return self.provider(config, model, suite=suite, route=route)
        except Refused as refused:
            if may_ask or model not in config.models:
                raise
            from evalkit.control.providers.absent import AbsentProvider

            return AbsentProvider(model, str(refused))

    def provider(
        self, config: Config, model: str, *, suite: str, route: Route | None = None
    ) -> ProviderPort:
        """The provider that answers for a configured model name, on the `route` that is tested.

        Raises Refused for a model that cannot be reached: unknown, or its key is not set.
        """
        known = config.models.get(model)
        if known is None:
            raise Refused(
                f"model {model!r} has no entry in `models:`, so nothing says which provider to ask "
                f"or what it costs; add `models: {{{model}: {{provider: …}}}}` to evalkit.yaml"
            )
        if faulty := self._faulty(config, model, known, route):
            return faulty
        name, provider = self.chosen(config, model, known)
        key = repr((name, provider.plain(), known.id or model, suite, self.live, self.offline))
        if key not in self._providers:
            built = self._build(name, provider, model, known, suite)
            if self.offline and built.origin == "live":
                from evalkit.control.providers.offline import OfflineProvider

                built = OfflineProvider(built, model=model)
            self._providers[key] = built if self._wrap is None else self._wrap(built)
        return self._providers[key]

    def _faulty(
        self, config: Config, model: str, known: Model, route: Route | None
    ) -> FaultyProvider | None:
        """What stands in a broken provider's place; None for one that is whole.

        A provider that is broken is never asked, so it needs no key.
        """
        if not self._faults:
            return None
        name, provider = self._asked(config, model, known)
        primary = None if route is None else config.models.get(route.models.first)
        meant = [known.provider, name]
        if primary is not None and primary.provider == known.provider:
            meant.append(PRIMARY)
        broken = [each for each in meant if each in self._faults]
        for each in broken:
            # others may use a stand-in too, which is whole unless it was named itself
            self.broken.setdefault(each, set()).add(name if each == name else known.provider)
        if not broken:
            return None
        recorded = provider.recordings is not None and not self.live
        return FaultyProvider(
            self._faults[broken[0]],
            name=name if broken[0] == name else known.provider,
            identity=identity_of(provider.kind, base_url=provider.address),
            origin="recording"
            if recorded
            else "scripted"
            if provider.kind == "scripted"
            else "live",
        )

    def chosen(self, config: Config, model: str, known: Model) -> tuple[str, Provider]:
        """The model's provider, or the one that stands in where its key is not set.

        Raises Refused where there is neither.
        """
        name = known.provider
        for _ in range(len(config.providers)):
            provider = config.providers[name]
            if provider.api_key_env is None or self.environ.get(provider.api_key_env):
                return name, provider
            if provider.recordings and not self.live:
                return name, provider
            if provider.without_key is None:
                if self.offline:  # who is never asked needs no key
                    return name, provider
                raise Refused(
                    f"model {model!r} is asked through provider {name!r}, whose key is looked for "
                    f"in ${provider.api_key_env}, which is not set; set it, or name a stand-in "
                    f"with `without_key`"
                )
            name = provider.without_key
        raise Refused(f"the `without_key` of provider {name!r} leads back to itself")

    def _read_own(self, path: Path) -> bytes:
        """A file of the project. Raises OSError, and ConfigError for one that leads out of it."""
        from evalkit.sources.tree import WorkingTree

        return WorkingTree(self.root).read(path.relative_to(self.root).as_posix())

    def _build(
        self, name: str, provider: Provider, model: str, known: Model, suite: str
    ) -> ProviderPort:
        if provider.recordings and not self.live:
            from evalkit.control.providers.recording import RecordingProvider

            return RecordingProvider(
                self.root / provider.recordings / model,
                name=name,
                model=model,
                identity=identity_of(provider.kind, base_url=provider.address),
                read=self._read_own,
            )
        if provider.kind == "scripted":
            from evalkit.control.providers.scripted import ScriptedProvider

            path = (provider.path or "").replace("{suite}", suite)
            return ScriptedProvider(
                self.root / path, name=name, clock=self.clock, read=self._read_own
            )
        if provider.kind == "local":
            from evalkit.control.providers.local import LocalProvider

            return LocalProvider(name=name, clock=self.clock)
        from evalkit.control.providers.http_provider import HttpProvider
        from evalkit.control.providers.protocols import protocol_of

        address = provider.address
        assert address is not None, "the configuration refuses an HTTP provider without one"
        return HttpProvider(
            protocol_of(provider.kind, address),
            kind=provider.kind,
            name=name,
            base_url=address,
            api_key_env=provider.api_key_env,
            environ=self.environ,
            transport=self.transport(),
            clock=self.clock,
        )

    def transport(self) -> StreamingTransport:
        """HTTP out, opened once."""
        if self._transport is None:
            from evalkit.control.providers.transport import build_transport

            self._transport = build_transport(alone=self._alone)
        return self._transport

    async def close(self) -> None:
        """Give processes, connections, engines and files back."""
        await self.programs.close()
        for ledger in self._ledgers:
            ledger.close()
        self._ledgers.clear()
        for provider in self._providers.values():
            await provider.close()
        self._providers.clear()
        self._indexes.close()
        self._policies.close()
        if self._transport is not None:
            await self._transport.close()
            self._transport = None
