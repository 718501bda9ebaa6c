"""Python's garbage collector while a run goes on.

A run keeps every attempt until its end, and with the default thresholds the collector walks all of
them time and again, to find nothing: sessions hold no cycles. What was there when the run began is
not looked at again, and the rest rarely.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from evalkit.collector import looks_hardly_ever

# objects more than before the youngest are looked at, and how often those are before their elders
OF_A_RUN = (100_000, 10, 100)
# what serves for months: short looks, and what lies in cycles gathers until its elders are seen
OF_A_SERVICE = (20_000, 10, 10)


@contextmanager
def rare_collections(thresholds: tuple[int, int, int] = OF_A_RUN) -> Iterator[None]:
    """Collect rarely; as before once it is left. Without effect for who set a collector up.

    The thresholds are `gc.set_threshold`'s.
    """
    before = gc.get_threshold()
    rarer = before[0] >= thresholds[0] and not looks_hardly_ever()
    if not gc.isenabled() or gc.get_freeze_count() or rarer:
        yield
        return
    gc.freeze()
    gc.set_threshold(*thresholds)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
