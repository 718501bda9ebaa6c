"""The control session's side of a parcel: what is packed for workers, and what cannot be."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from evalkit.config.routes import Provider
from evalkit.errors import Refused
from evalkit.records.cases import Cases
from evalkit.workflows.runs.engines.parcel import ArmParcel, Parcel
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import Variant
from evalkit.workflows.wiring import Wiring


def build_parcel(
    prepared: PreparedRun, request: RunRequest, wiring: Wiring, *, cached: bool
) -> Parcel:
    """What workers need of a prepared run. Raises Refused for what cannot be made elsewhere."""
    variants = [(setup.name, each) for setup in prepared.setups for each in setup.variants]
    unable = list(dict.fromkeys(_unable(variants)))
    if unable:
        raise Refused(f"{'; '.join(unable)}; run it with --engine asyncio")
    return Parcel(
        arms=tuple(
            ArmParcel(
                variant=each.name,
                config=each.config,
                assets=msgspec.structs.replace(
                    each.assets,
                    golden=msgspec.structs.replace(each.assets.golden, cases=Cases.of(())),
                ),
            )
            for _, each in variants
        ),
        files=dict(_files(variants, wiring)),
        variables=tuple(
            sorted({name for _, each in variants for name in _variables(each, wiring)})
        ),
        faults=request.faults,
        live=wiring.live,
        offline=wiring.offline,
        cached=cached,
        content=prepared.content,
    )


def _unable(variants: Sequence[tuple[str, Variant]]) -> Iterator[str]:
    """What of a run has to be made in the project's folder or would load a model on each worker."""
    for suite, variant in variants:
        target = variant.assets.suite.target
        if target.python is not None or target.command is not None:
            kind = "a Python function" if target.python is not None else "a command"
            yield (
                f"suite {suite} tests {kind} ({variant.assets.reference}), which runs in the "
                "project's folder on this machine and not on a cluster"
            )
        for name in variant.assets.route.every_model:
            known = variant.config.models.get(name)
            if known is not None and variant.config.providers[known.provider].kind == "local":
                yield (
                    f"suite {suite} asks model {name}, which is embedded in the process: every "
                    "worker would load one of its own (`evalkit local serve` makes it one that "
                    "all of them ask)"
                )


def _files(variants: Sequence[tuple[str, Variant]], wiring: Wiring) -> Iterator[tuple[str, bytes]]:
    """Recordings and scripts that arms are answered from."""
    for suite, variant in variants:
        for name in variant.assets.route.every_model:
            known = variant.config.models.get(name)
            if known is None:
                continue
            try:
                _, provider = wiring.chosen(variant.config, name, known)
            except Refused:
                continue  # a program's model that nobody can ask, or one that is broken on purpose
            for path in _written_down(provider, name, suite, wiring):
                yield path.relative_to(wiring.root).as_posix(), path.read_bytes()


def _written_down(provider: Provider, model: str, suite: str, wiring: Wiring) -> Iterator[Path]:
    if provider.recordings and not wiring.live:
        folder = wiring.root / provider.recordings / model
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())
    elif provider.path is not None:
        yield wiring.root / provider.path.replace("{suite}", suite)


def _variables(variant: Variant, wiring: Wiring) -> Iterator[str]:
    """Names of the variables that an arm's calls look in, of those that are set here."""
    config, route = variant.config, variant.assets.route
    parts: list[Any] = [route.plain(), variant.assets.suite.target.plain()]
    parts += [each.plain() for each in config.indexes.values()]
    for name in route.every_model:
        known = config.models.get(name)
        if known is None:
            continue
        try:
            parts.append(wiring.chosen(config, name, known)[1].plain())
        except Refused:
            continue  # as above: nobody asks it
    for each in parts:
        yield from (name for name in _named(each) if wiring.environ.get(name))


def _named(value: Any, key: str = "") -> Iterator[str]:
    """The variables that a part of the configuration names, under keys that end in `_env`."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _named(each, key if key.endswith("_env") else str(name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _named(each, key)
    elif isinstance(value, str) and key.endswith("_env"):
        yield value
