"""What a Rego package decided, read strictly: what cannot be read is no decision.

A package has any of three rules:

- `deny`, a set (or list) of denials: texts, or objects with `message` and maybe `rule`;
- `warn`, the same for what is only to be seen;
- `allow`, true or false. Where there is one, only true allows.

A package that defines neither `deny` nor `allow` decides nothing.
"""

from collections.abc import Iterator
from typing import Any

from evalkit.control.ruling import POLICY_ERROR, Ruling

_RULES = ("allow", "deny", "warn")


class Undecided(Exception):
    """A policy could not be evaluated, or said nothing that can be read: the act is denied."""


def read_decision(decided: Any, *, package: str, shadow: bool) -> tuple[Ruling, ...]:
    """The rulings of one evaluation: every denial and warning, or one that allows.

    Rules are called `rego.<package>`, with what the policy calls the denial behind it. `shadow`
    makes warnings of denials. Raises Undecided.
    """
    if not isinstance(decided, dict) or not {"allow", "deny"} & decided.keys():
        raise Undecided(f"package {package} defines neither `deny` nor `allow`, so nothing decides")
    rule = f"rego.{package}"
    allow = decided.get("allow", True)
    if not isinstance(allow, bool):
        raise Undecided(f"{package}.allow is true or false, not {_kind(allow)}")
    denials = list(_findings(decided, "deny", package))
    rulings = [
        Ruling(False, _named(rule, name), message, shadow=shadow) for name, message in denials
    ]
    if not allow and not denials:
        rulings.append(
            Ruling(False, f"{rule}.allow", f"{package} does not allow it", shadow=shadow)
        )
    rulings += [
        Ruling(False, _named(rule, name), message, shadow=True)
        for name, message in _findings(decided, "warn", package)
    ]
    return tuple(rulings) or (Ruling(True, rule, f"{package} allows it"),)


def undecided(name: str, why: Undecided, *, shadow: bool) -> tuple[Ruling, ...]:
    """What an act gets of a policy that could not be evaluated: a no, which `shadow` makes one that
    is only seen."""
    message = f"{name} could not be evaluated: {why}"
    return (Ruling(False, POLICY_ERROR, message, shadow=shadow),)


def _findings(decided: dict[str, Any], key: str, package: str) -> Iterator[tuple[str, str]]:
    found = decided.get(key, [])
    if not isinstance(found, list):
        raise Undecided(f"{package}.{key} is a set of texts or objects, not {_kind(found)}")
    for each in found:
        if isinstance(each, str):
            yield "", each
        elif isinstance(each, dict) and isinstance(each.get("message"), str):
            name = each.get("rule", "")
            if not isinstance(name, str):
                raise Undecided(f"the `rule` of a denial of {package} is a text, not {_kind(name)}")
            yield name, each["message"]
        else:
            raise Undecided(
                f"{package}.{key} holds {_kind(each)}; expected a text, or an object with `message`"
            )


def _named(rule: str, name: str) -> str:
    return f"{rule}.{name}" if name else rule


def _kind(value: Any) -> str:
    return f"a {type(value).__name__}"
