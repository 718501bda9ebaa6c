"""Expected values that say more than equality: `{"$approx": 12.5, "$abs": 0.01}` and the like.

A mapping whose keys all begin with `$` is a matcher; every other value is compared as JSON. So a
case can expect an argument exactly, within a tolerance, by a pattern, by a JSON Schema, or not at
all.
"""

from collections.abc import Callable, Mapping
from typing import Any

from evalkit.config.patterns import PatternError, compile_pattern
from evalkit.score.equality import equal
from evalkit.score.scorer import ScorerError
from evalkit.score.wording import MISSING, show
from evalkit.validation.soundness import schema_problems
from evalkit.validation.validator import meets

_TOLERANCES = frozenset({"$abs", "$rel"})


def is_matcher(expected: Any) -> bool:
    """Whether a value is a matcher, and not to be compared as it stands."""
    return (
        isinstance(expected, Mapping)
        and bool(expected)
        and all(isinstance(key, str) and key.startswith("$") for key in expected)
    )


def check_matchers(expected: Any) -> None:
    """Raise ScorerError for a matcher that is none, anywhere in an expected value."""
    if is_matcher(expected):
        for name, argument in expected.items():
            if name not in _CHECKS:
                known = ", ".join(_CHECKS)
                raise ScorerError(
                    f"{name} is no matcher; known are {known} "
                    '(a value with such a key is written {"$equal": …})'
                )
            _CHECKS[name](name, argument)
        if _TOLERANCES & expected.keys() and "$approx" not in expected:
            raise ScorerError("$abs and $rel are tolerances of $approx, which is not there")
    elif isinstance(expected, Mapping):
        for value in expected.values():
            check_matchers(value)
    elif isinstance(expected, list | tuple):
        for value in expected:
            check_matchers(value)


def matches(expected: Any, found: Any) -> bool:
    """Whether a value is what is expected: equal as JSON, or by the matchers inside `expected`.

    Every key of a matcher has to hold. `check_matchers` found nothing in `expected`.
    """
    if is_matcher(expected):
        return found is not MISSING and all(
            _holds(name, argument, expected, found) for name, argument in expected.items()
        )
    if isinstance(expected, Mapping):
        return (
            isinstance(found, Mapping)
            and expected.keys() == found.keys()
            and all(matches(value, found[key]) for key, value in expected.items())
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(found, list | tuple)
            and len(expected) == len(found)
            and all(matches(one, other) for one, other in zip(expected, found, strict=True))
        )
    return equal(expected, found)


def _holds(name: str, argument: Any, matcher: Mapping[str, Any], found: Any) -> bool:
    match name:
        case "$equal":
            return equal(argument, found)
        case "$one_of":
            return any(matches(each, found) for each in argument)
        case "$subset":
            return isinstance(found, Mapping) and all(
                key in found and matches(value, found[key]) for key, value in argument.items()
            )
        case "$approx":
            slack = max(matcher.get("$abs", 0.0), matcher.get("$rel", 0.0) * abs(argument))
            return _is_number(found) and abs(found - argument) <= slack
        case "$min":
            return _is_number(found) and found >= argument
        case "$max":
            return _is_number(found) and found <= argument
        case "$contains":
            return isinstance(found, str) and argument in found
        case "$regex":
            return isinstance(found, str) and compile_pattern(argument).search(found) is not None
        case "$schema":
            return meets(argument, found)
    return True  # $any, and the tolerances of $approx


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(name: str, argument: Any) -> None:
    if not _is_number(argument):
        raise ScorerError(f"{name} takes a number, not {show(argument)}")


def _tolerance(name: str, argument: Any) -> None:
    _number(name, argument)
    if argument < 0:
        raise ScorerError(f"{name} is a tolerance, 0 or more, not {show(argument)}")


def _text(name: str, argument: Any) -> None:
    if not isinstance(argument, str) or not argument:
        raise ScorerError(f"{name} takes a text, not {show(argument)}")


def _pattern(name: str, argument: Any) -> None:
    _text(name, argument)
    try:
        compile_pattern(argument)
    except PatternError as error:
        raise ScorerError(str(error)) from None


def _schema(name: str, argument: Any) -> None:
    if faults := schema_problems(argument):
        raise ScorerError(f"{name}: {faults[0]}")


def _options(name: str, argument: Any) -> None:
    if not isinstance(argument, list | tuple) or not argument:
        raise ScorerError(f"{name} takes a list of values, not {show(argument)}")
    for each in argument:
        check_matchers(each)


def _part(name: str, argument: Any) -> None:
    if not isinstance(argument, Mapping):
        raise ScorerError(f"{name} takes a mapping, not {show(argument)}")
    check_matchers(argument)


def _true(name: str, argument: Any) -> None:
    if argument is not True:
        raise ScorerError(f"{name} is written {name}: true, not {show(argument)}")


def _anything(name: str, argument: Any) -> None:
    """Any value may be the one to equal."""


_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "$any": _true,
    "$equal": _anything,
    "$one_of": _options,
    "$subset": _part,
    "$approx": _number,
    "$abs": _tolerance,
    "$rel": _tolerance,
    "$min": _number,
    "$max": _number,
    "$contains": _text,
    "$regex": _pattern,
    "$schema": _schema,
}
