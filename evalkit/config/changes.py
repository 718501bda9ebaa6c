"""`--set KEY=VALUE`: the candidate's changes, and those that make a `{set: …}` baseline."""

import copy
import difflib
from collections.abc import Mapping
from typing import Any

from evalkit.config.document import PathPart
from evalkit.config.model import Config
from evalkit.config.problems import listed, shown
from evalkit.config.shape import is_open, keys_at
from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem, UsageError

Path = tuple[PathPart, ...]

# What differs between two variants. The rest is one yardstick for both, so no change may reach it.
_REACHED = ("routes", "models", "providers", "indexes", "suites")
_GROWING = ("models", "providers", "indexes")


class _NoSuchKey(Exception):
    """Nothing stands at the path; the text says what does."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        self.suggestion = suggestion
        super().__init__(message)


def parse_change(text: str) -> tuple[str, Any]:
    """`a.b=c` as a dotted key and a value, which is read as YAML would read it.

    Raises UsageError where there is no `=`, no key, or no single value.
    """
    key, equals, written = text.partition("=")
    key = key.strip()
    if not equals or not key or any(not part.strip() for part in key.split(".")):
        raise UsageError(f"--set takes KEY=VALUE, such as models.tiny.id=tiny-2, not {text!r}")
    if not written.strip():
        raise UsageError(f"--set {key}= has no value; write {key}=null to unset it")
    try:
        value = parse_yaml(written.encode(), f"--set {key}").data
    except ConfigError as error:
        reasons = "; ".join(problem.message for problem in error.problems)
        raise UsageError(f"--set {text}: the value {reasons}") from error
    except UnicodeEncodeError as error:
        raise UsageError(f"--set {key}: the value is not UTF-8") from error
    return key, value


def apply_changes(data: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of an evalkit.yaml's plain data with the changes in it; `data` stays as it was.

    Raises ConfigError for keys that do not exist or that both variants share.
    """
    return apply_located(data, changes)[0]


def apply_located(data: Any, changes: Mapping[str, Any]) -> tuple[Any, dict[Path, str]]:
    """Like `apply_changes`, with the path of each changed value and the key that named it."""
    changed = copy.deepcopy(data)
    paths: dict[Path, str] = {}
    problems = []
    for key, value in changes.items():
        try:
            path = resolve_key(changed, key, value)
        except _NoSuchKey as error:
            problems.append(
                Problem(
                    key=key, message=str(error), value=shown(value), suggestion=error.suggestion
                )
            )
        else:
            _put(changed, path, value)
            paths[path] = key
    if problems:
        raise ConfigError(problems)
    return changed, paths


def resolve_key(data: Any, key: str, value: Any) -> Path:
    """The path that a dotted key names. Keys may contain dots: the longest that exists wins."""
    path: Path = ()
    rest = key
    here = data
    while rest:
        part, name, rest = _next(here, path, rest, key, value)
        path = (*path, part)
        _check_reach(path, name, key)
        here = _inside(here, part)
    if len(path) < 2 or (path[0] == "suites" and len(path) < 4):
        raise _NoSuchKey("names a whole section; name one value in it")
    return path


def _next(here: Any, path: Path, rest: str, key: str, value: Any) -> tuple[PathPart, str, str]:
    """The next part of the path, its name, and what is left of the key."""
    known: dict[str, PathPart] = {name: name for name in keys_at(Config, path)}
    known |= _names(here, path)
    for name in sorted(known, key=len, reverse=True):
        if rest == name:
            return known[name], name, ""
        if rest.startswith(name + "."):
            return known[name], name, rest[len(name) + 1 :]
    if path and path[-1] in _GROWING and len(path) == 1 and isinstance(value, dict):
        return rest, rest, ""  # a whole new model, provider or index
    if is_open(Config, path) and len(path) > 1:
        return rest, rest, ""
    where = key[: len(key) - len(rest)].rstrip(".") or "evalkit.yaml"
    if not known:
        raise _NoSuchKey(f"{where} has nothing inside it")
    raise _NoSuchKey(
        f"there is no such key: {where} has {listed(known)}", _closest(rest, known, key)
    )


def _closest(rest: str, known: Mapping[str, PathPart], key: str) -> str | None:
    """`did you mean` with the whole key, so that it can be pasted."""
    parts = rest.split(".")
    best: tuple[float, str] | None = None
    for end in range(1, len(parts) + 1):
        found, left = ".".join(parts[:end]), "".join(f".{part}" for part in parts[end:])
        for name in known:
            likeness = difflib.SequenceMatcher(a=found, b=name).ratio()
            if likeness >= 0.6 and (best is None or likeness > best[0]):
                best = likeness, key[: len(key) - len(rest)] + name + left
    return f"did you mean {best[1]!r}?" if best else None


def _names(here: Any, path: Path) -> dict[str, PathPart]:
    if isinstance(here, dict):
        return {str(name): name for name in here}
    if isinstance(here, list):
        indexes: dict[str, PathPart] = {str(index): index for index in range(len(here))}
        if path != ("routes",):
            return indexes
        return {
            entry["name"]: index
            for index, entry in enumerate(here)
            if isinstance(entry, dict) and isinstance(entry.get("name"), str)
        }
    return {}


def _check_reach(path: Path, name: str, key: str) -> None:
    if len(path) == 1 and path[0] not in _REACHED:
        raise _NoSuchKey(
            f"{name} belongs to both variants; a change may reach {listed(_REACHED[:-1])} and "
            "suites.NAME.target"
        )
    if path[0] == "suites" and len(path) == 3 and path[2] != "target":
        raise _NoSuchKey(
            f"the {name} of a suite belongs to both variants: a change there would measure them "
            "with different yardsticks. Edit evalkit.yaml instead; a change may reach "
            f"{key.rsplit('.' + name, 1)[0]}.target"
        )
    if path[0] == "routes" and len(path) == 3 and path[2] == "name":
        raise _NoSuchKey("the name of a route is what suites find it by; change the suite's route")


def _inside(here: Any, part: PathPart) -> Any:
    try:
        return here[part]
    except (LookupError, TypeError):
        return None


def _put(data: Any, path: Path, value: Any) -> None:
    for part in path[:-1]:
        if isinstance(data, dict) and not isinstance(data.get(str(part)), (dict, list)):
            data[part] = {}
        data = data[part]
    data[path[-1]] = copy.deepcopy(value)
