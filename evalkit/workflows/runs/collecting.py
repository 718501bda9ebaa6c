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
_THRESHOLDS = (20_000, 50, 100)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely; as before once it is left. Without effect for who set a collector up."""
    before = gc.get_threshold()
    rarer = before[0] >= _THRESHOLDS[0] and not looks_hardly_ever()
    if not gc.isenabled() or gc.get_freeze_count() or rarer:
        yield
        return
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
