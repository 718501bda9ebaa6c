"""What a suite tests, as a run drives it: a prompt, an agent, or a program of the project's."""

from typing import Protocol

from evalkit.ports import Clock, Opening, Session
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.call import PreparedCall
from evalkit.records.case import Case


class Target(Protocol):
    """One version of what is tested. Attempts may be made at the same time."""

    @property
    def reference(self) -> str:
        """What it is called: `name@vN`, or a program's words."""

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall | None:
        """Its first call, with the bounds of all of them; None for a program, which asks by itself.

        Raises PolicyBlocked, and ConfigError for what cannot be made of this case.
        """

    async def attempt(
        self,
        session: Session,
        case: Case,
        *,
        suite: str,
        variant: VariantName,
        trial: int,
        clock: Clock,
    ) -> Attempt:
        """Play one case. Whatever the target, a policy or a provider does ends in an attempt; only
        ConfigError and StoreError are raised."""

    async def close(self) -> None:
        """Give back what it holds."""
