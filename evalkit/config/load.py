"""evalkit.yaml in, a checked configuration out, or every problem of it at once."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from pydantic import ValidationError

from evalkit.config.advice import advice
from evalkit.config.changes import apply_located
from evalkit.config.consistency import inconsistencies
from evalkit.config.document import Document
from evalkit.config.model import Config
from evalkit.config.problems import Locator, capped, explain, in_order
from evalkit.config.written import Written
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem

# Sections whose entries stand for themselves: a broken one does not hide problems of the others.
_BY_ENTRY = ("providers", "models", "routes", "indexes", "budgets", "suites")


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration that holds together. `warnings` are worth a look and stop nothing."""

    config: Config
    document: Document
    warnings: tuple[Problem, ...]


class ExaminedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What can be said of a configuration that may be broken.

    `config` holds the parts that are in order, `suites` every suite's name that stands in the file.
    `notes` are warnings about what a run meets, `advice` those about the file as a whole.
    """

    config: Config
    locator: Locator
    suites: tuple[str, ...]
    problems: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    advice: tuple[Problem, ...]


def load_config(
    raw: bytes, *, file: str = "evalkit.yaml", changes: Mapping[str, Any] | None = None
) -> LoadedConfig:
    """The configuration in `raw`, with `changes` (dotted keys and values) applied to it.

    Raises ConfigError with every problem: of form, of each value, and of names that lead nowhere.
    """
    found = examine_config(raw, file=file, changes=changes)
    if found.problems:
        raise ConfigError(capped(found.problems))
    return LoadedConfig(
        config=found.config,
        document=found.locator.document,
        warnings=(*found.notes, *found.advice),
    )


def examine_config(
    raw: bytes, *, file: str = "evalkit.yaml", changes: Mapping[str, Any] | None = None
) -> ExaminedConfig:
    """Everything that `load_config` would raise, with the parts that are in order.

    Raises ConfigError only where the file is no mapping or a change reaches nothing.
    """
    document = parse_yaml(raw, file)
    if not isinstance(document.data, dict):
        wrong = Locator(document).problem((), "holds no mapping", expected="keys like `routes:`")
        raise ConfigError([wrong])
    data, changed = apply_located(document.data, changes or {})
    locator = Locator(document, data=data, changed=tuple(changed))
    problems: list[Problem] = []
    try:
        config = Config.model_validate(data)
        kept: Sequence[int] = range(len(config.routes))
    except ValidationError as error:
        problems = explain(error, Config, locator)
        config, kept = _without_broken(data, error)
    written = Written(
        config=config,
        locator=locator,
        routes_at=kept,
        routes=_route_names(data),
        models=_names(data, "models"),
        providers=_names(data, "providers"),
        suites=_names(data, "suites"),
    )
    found = inconsistencies(written)
    return ExaminedConfig(
        config=config,
        locator=locator,
        suites=tuple(_names(data, "suites")),
        problems=tuple(in_order([*problems, *(p for p in found if p.severity == "error")])),
        notes=tuple(p for p in found if p.severity == "warning"),
        advice=tuple(advice(config, locator)) if not problems else (),
    )


def _without_broken(data: Any, error: ValidationError) -> tuple[Config, Sequence[int]]:
    """What is left of a broken configuration, to be checked too, and which routes are in it."""
    left = dict(data)
    broken: dict[str, set[Any]] = {}
    for each in error.errors(include_url=False):
        section, *inside = each["loc"]
        if section in _BY_ENTRY and inside:
            broken.setdefault(str(section), set()).add(inside[0])
        else:
            left.pop(str(section), None)
    for section, entries in broken.items():
        if isinstance(data[section], dict):
            left[section] = {k: v for k, v in data[section].items() if k not in entries}
        else:
            left[section] = [v for i, v in enumerate(data[section]) if i not in entries]
    routes = data.get("routes")
    count = len(routes) if isinstance(routes, list) and "routes" in left else 0
    kept = [index for index in range(count) if index not in broken.get("routes", ())]
    return Config.model_validate(left), kept


def _names(data: Any, section: str) -> list[str]:
    entries = data.get(section)
    return [str(name) for name in entries] if isinstance(entries, dict) else []


def _route_names(data: Any) -> list[str]:
    routes = data.get("routes")
    if not isinstance(routes, list):
        return []
    return [str(entry["name"]) for entry in routes if isinstance(entry, dict) and "name" in entry]
