"""A rubric's judge, ready to be asked: its routes in the working tree, through the control core."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.config.digested import digested
from evalkit.config.model import Config
from evalkit.config.problems import suggest
from evalkit.config.routes import Route
from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.control.providers.identity import identity_of
from evalkit.errors import ConfigError, Problem
from evalkit.ports import Cache, CallLog, EventSink, Session
from evalkit.records.asset import Rubric
from evalkit.records.call_log import judgment_work
from evalkit.records.case import Case
from evalkit.records.judgment import Subject
from evalkit.records.subject import subject_id
from evalkit.score.judging.asking import Judge, RecordedJudge
from evalkit.score.judging.identity import judge_digest
from evalkit.sources.tree import WorkingTree
from evalkit.sources.verdicts import read_recorded_verdicts
from evalkit.workflows.wiring import Wiring


class OpenedJudge(msgspec.Struct, frozen=True, kw_only=True):
    """A judge and who it is. `asked` says in words who judges, `digest` what its calibration binds.

    `live` tells that a model answers, so that asking again would be a new measurement, `unpriced`
    names the models that have no price. `threshold` is what its scores are held against. `scripted`
    tells that some replies are written down by case, whatever the output says.
    """

    rubric: Rubric
    judge: Judge | RecordedJudge
    digest: str
    asked: str
    live: bool
    unpriced: tuple[str, ...] = ()
    threshold: float | None = None
    scripted: bool = False


def open_judge(
    rubric: Rubric,
    *,
    config: Config,
    wiring: Wiring,
    ledger: Ledger,
    cache: Cache | None,
    threshold: float | None = None,
    emit: EventSink | None = None,
    calls: CallLog | None = None,
) -> OpenedJudge:
    """The judge of a rubric under the working tree's `config`; what it spends is held in `ledger`.

    `threshold` is the calibration's, for a graded scale. Without a `cache` every question is asked
    anew. `calls` is where a run writes its calls down. Raises ConfigError for a route that the
    project does not have or a file of verdicts that cannot be read, Refused for a model that cannot
    be reached.
    """
    config = wiring.prices.priced(config)
    if rubric.recorded is not None:
        verdicts = read_recorded_verdicts(WorkingTree(wiring.root), rubric)
        return OpenedJudge(
            rubric=rubric,
            judge=RecordedJudge(rubric, verdicts, threshold=threshold),
            digest=configured_digest(rubric, config),
            asked=asked_words(rubric, config),
            live=False,
            threshold=threshold,
        )
    sessions = _Sessions(config, wiring, ledger, cache, emit, calls, rubric.ref)
    providers = {
        model: wiring.provider(config, model, suite=rubric.name)
        for name in rubric.routes
        for model in judge_route(rubric, config, name).every_model
    }
    asked = {
        name: _shape(
            judge_route(rubric, config, name),
            config,
            {model: provider.identity for model, provider in providers.items()},
        )
        for name in rubric.routes
    }
    return OpenedJudge(
        rubric=rubric,
        judge=Judge(rubric, sessions=sessions, threshold=threshold),
        digest=judge_digest(rubric, asked),
        asked=asked_words(rubric, config),
        live=all(provider.origin == "live" for provider in providers.values()),
        unpriced=tuple(
            name
            for name in providers
            if name not in config.models or config.models[name].price is None
        ),
        threshold=threshold,
        scripted=any(provider.origin == "scripted" for provider in providers.values()),
    )


def is_scripted(rubric: Rubric, config: Config) -> bool:
    """Whether a model that the configuration names for the judge has its replies from a script."""
    models = [
        config.models.get(model)
        for name in rubric.routes
        for model in judge_route(rubric, config, name).every_model
    ]
    return any(
        each is not None and config.providers[each.provider].kind == "scripted" for each in models
    )


def configured_digest(rubric: Rubric, config: Config) -> str:
    """The digest of the judge that the configuration names, whether or not its key is set here.

    Raises ConfigError for a route that the project does not have.
    """
    if rubric.recorded is not None:
        return judge_digest(rubric, {"recorded": rubric.recorded_by})
    return judge_digest(
        rubric,
        {
            name: _shape(
                judge_route(rubric, config, name),
                config,
                _configured_identities(config, judge_route(rubric, config, name)),
            )
            for name in rubric.routes
        },
    )


def asked_words(rubric: Rubric, config: Config) -> str:
    """Who judges, in words: models and routes, or where recorded verdicts come from."""
    if rubric.recorded is not None:
        return f"{rubric.recorded_by} (recorded verdicts)"
    members = []
    for name in rubric.routes:
        primary = judge_route(rubric, config, name).models.first
        known = config.models.get(primary)
        members.append(f"{(known.id if known else None) or primary} on route {name}")
    return ", ".join(members) if len(members) == 1 else f"a panel of {', '.join(members)}"


def judge_route(rubric: Rubric, config: Config, name: str) -> Route:
    """A route of the judge. Raises ConfigError where the project does not have it."""
    route = config.route(name)
    if route is None:
        known = [each.name for each in config.routes]
        raise ConfigError(
            [
                Problem(
                    file=rubric.path,
                    key="judge.route" if len(rubric.routes) == 1 else "judge.panel",
                    message=f"the project has no route {name!r}, so nobody can be asked",
                    expected=f"one of the routes in evalkit.yaml: {', '.join(known) or 'none yet'}",
                    suggestion=suggest(name, known),
                )
            ]
        )
    return route


def _shape(route: Route, config: Config, identities: Mapping[str, str]) -> dict[str, Any]:
    """All that shapes the replies of a route: models by id, where they are, caps and policies."""
    models = []
    for name in route.every_model:
        known = config.models.get(name)
        models.append([(known.id if known else None) or name, identities.get(name, "")])
    settings = digested(route, exclude=("owner", "use", "name", "models"))
    return {"models": models, "settings": settings}


def _configured_identities(config: Config, route: Route) -> dict[str, str]:
    identities = {}
    for name in route.every_model:
        known = config.models.get(name)
        if known is not None:
            provider = config.providers[known.provider]
            identities[name] = identity_of(provider.kind, base_url=provider.address)
    return identities


class _Sessions(msgspec.Struct):
    """Implements ports.JudgeSessions on the routes of one configuration."""

    config: Config
    wiring: Wiring
    ledger: Ledger
    cache: Cache | None
    emit: EventSink | None
    calls: CallLog | None
    rubric: str
    planes: dict[tuple[str, str], ControlPlane] = msgspec.field(default_factory=dict)

    def open(self, route: str, subject: Subject, *, suite: str = "", case: str = "") -> Session:
        known = self.config.route(route)
        assert known is not None, "open_judge looked at every route"
        plane = self.planes.get((route, suite))
        if plane is None:
            plane = self.planes[route, suite] = self.wiring.control_plane(
                self.config,
                known,
                suite=suite,
                ledger=self.ledger,
                cache=self.cache,
                emit=self.emit,
                calls=self.calls,
            )
        shown = Case(id=case, input=subject.input, documents=subject.documents)
        return plane.open(
            shown,
            suite=suite,
            variant="judge",
            prompt=f"judge {route}",
            work=judgment_work(suite, self.rubric, subject_id(subject)),
        )
