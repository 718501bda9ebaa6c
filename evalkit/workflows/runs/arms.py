"""An arm of a suite: what makes its attempts, in the control session and on workers alike."""

import msgspec

from evalkit.control.factory import ControlPlane
from evalkit.execute.target import Target
from evalkit.ports import Clock
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.call_log import attempt_work
from evalkit.records.case import Case


class Arm(msgspec.Struct, frozen=True):
    """One variant of one suite, ready to make attempts, in a step of its route if it names one."""

    variant: VariantName
    plane: ControlPlane
    target: Target
    step: str | None = None

    async def make(
        self, case: Case, *, suite: str, trial: int, clock: Clock, content: bool
    ) -> Attempt:
        """One attempt of it; with `content` its spans hold what was said."""
        session = self.plane.open(
            case,
            suite=suite,
            variant=self.variant,
            prompt=self.target.reference,
            step=self.step,
            work=attempt_work((suite, self.variant, case.id, trial)),
        )
        attempt = await self.target.attempt(
            session, case, suite=suite, variant=self.variant, trial=trial, clock=clock
        )
        return msgspec.structs.replace(attempt, spans=session.spans(content=content))
