"""Python's garbage collector while a run goes on.

A run keeps every attempt until its end, and with the default thresholds the collector walks all of
them time and again, to find nothing: sessions hold no cycles. What was there when the run began is
not looked at again, and the rest rarely.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from evalkit.collector import looks_hardly_ever

# objects more than before the youngest are looked at; how often those are, before their elders
_YOUNGEST = 20_000
OF_A_RUN = (50, 100)
# what serves for months: what lies in cycles gathers until its elders are looked at
OF_A_SERVICE = (10, 10)


@contextmanager
def rare_collections(elders: tuple[int, int] = OF_A_RUN) -> Iterator[None]:
    """Collect rarely; as before once it is left. Without effect for who set a collector up.

    Elders are looked at once their youngers were so often: the middle generation, and the oldest.
    """
    before = gc.get_threshold()
    rarer = before[0] >= _YOUNGEST and not looks_hardly_ever()
    if not gc.isenabled() or gc.get_freeze_count() or rarer:
        yield
        return
    gc.freeze()
    gc.set_threshold(_YOUNGEST, *elders)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
