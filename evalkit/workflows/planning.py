"""`evalkit plan`: a run up to its first call."""

import asyncio

from evalkit.control.budget import Ledger
from evalkit.records.plan import RunPlan
from evalkit.store.cache import ReplyCache
from evalkit.store.runs import RunStore
from evalkit.workflows.preparing import prepare_run
from evalkit.workflows.request import RunRequest
from evalkit.workflows.wiring import Wiring


def plan_suites(request: RunRequest, *, wiring: Wiring) -> RunPlan:
    """What a run of `request` would do. Raises what a run would raise before its first call."""
    return asyncio.run(_plan(request, wiring))


async def _plan(request: RunRequest, wiring: Wiring) -> RunPlan:
    store = RunStore(wiring.root)
    cache = ReplyCache(wiring.root) if request.cache == "use" else None
    try:
        prepared = await prepare_run(
            request,
            wiring=wiring,
            store=store,
            cache=cache,
            ledger=lambda config: Ledger(config.budgets),
            seed=0,
        )
        return prepared.plan
    finally:
        await wiring.close()
