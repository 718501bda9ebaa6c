"""`evalkit plan`: a run up to its first call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from evalkit.control.ledger.book import Ledger
from evalkit.ports import History
from evalkit.records.plan import RunPlan
from evalkit.store.runs import RunStore
from evalkit.workflows.guards.private_state import refuse_tracked_state
from evalkit.workflows.history.keeping import open_synced
from evalkit.workflows.runs.caching import open_cache
from evalkit.workflows.runs.preparing import PreparedRun, prepare_run, run_cap_usd
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and the cap in USD that a run of it would be held to (None without one). `notes` say
    what a suite is compared with, where that is not simply its baseline."""

    plan: RunPlan
    budget_usd: float | None
    notes: tuple[str, ...] = ()


def plan_suites(request: RunRequest, *, wiring: Wiring) -> Planned:
    """What a run of `request` would do. Raises what a run would raise before its first call."""
    return asyncio.run(_plan(request, wiring))


async def _plan(request: RunRequest, wiring: Wiring) -> Planned:
    async with prepared_only(request, wiring) as (prepared, _):
        notes = tuple(note for setup in prepared.setups for note in setup.notes)
        return Planned(prepared.plan, run_cap_usd(prepared.config), notes)


@asynccontextmanager
async def prepared_only(
    request: RunRequest, wiring: Wiring
) -> AsyncIterator[tuple[PreparedRun, History]]:
    """A run of `request` that is never executed, with the history it was prepared from.

    Raises what `prepare_run` raises; the wiring is closed behind it.
    """
    refuse_tracked_state(wiring.root)
    try:
        with open_cache(wiring.root, request) as cache, open_synced(wiring.root) as history:
            prepared = await prepare_run(
                request,
                wiring=wiring,
                store=RunStore(wiring.root),
                cache=cache,
                ledger=lambda config: Ledger(config.budgets),
                history=history,
                seed=0,
            )
            yield prepared, history
    finally:
        await wiring.close()
