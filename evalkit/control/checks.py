"""Policies that are written elsewhere, asked at every act of a session.

A check gets the input document of `policy_input` and returns rulings. Forbid wins over allow: one
no is enough, and no yes overrules the route's own policies, which are asked first. A check that
cannot be evaluated denies.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from evalkit.control.ruling import POLICY_ERROR, Ruling

PolicyInput = Mapping[str, Any]


class PolicyCheck(Protocol):
    """A set of policies in whatever language.

    `check` returns a ruling for each policy that has something to say; none at all is no objection.
    It is called in the middle of an act, so it answers within milliseconds, or raises.
    """

    @property
    def name(self) -> str:
        """What messages call it, such as the file or the address of its policies."""

    @property
    def waits(self) -> bool:
        """Whether `check` may wait for another process. Then it is called in a thread wherever an
        act can wait itself; `authorize` cannot, and waits for it with everything else."""

    def check(self, document: PolicyInput) -> Sequence[Ruling]:
        """What the policies say of one act."""


async def consult(checks: Sequence[PolicyCheck], document: PolicyInput) -> list[Ruling]:
    """What all checks say of an act that can wait, noes first."""
    found: list[Ruling] = []
    for each in checks:
        if each.waits:
            found += await asyncio.to_thread(_evaluate, each, document)
        else:
            found += _evaluate(each, document)
    return _noes_first(found)


def consult_now(checks: Sequence[PolicyCheck], document: PolicyInput) -> list[Ruling]:
    """The same for an act that cannot wait."""
    return _noes_first([ruling for each in checks for ruling in _evaluate(each, document)])


def _evaluate(check: PolicyCheck, document: PolicyInput) -> list[Ruling]:
    try:
        rulings = list(check.check(document))
    except Exception as error:  # whatever broke in somebody's policy: it did not say yes
        message = f"{check.name} could not be evaluated: {type(error).__name__}: {error}"
        return [Ruling(False, POLICY_ERROR, message)]
    for ruling in rulings:
        if not isinstance(ruling, Ruling):
            message = f"{check.name} said {type(ruling).__name__}, which is no ruling"
            return [Ruling(False, POLICY_ERROR, message)]
    return rulings


def _noes_first(rulings: list[Ruling]) -> list[Ruling]:
    """In their order, but for those that stop the act, which come first."""
    return sorted(rulings, key=lambda ruling: not ruling.stops)
