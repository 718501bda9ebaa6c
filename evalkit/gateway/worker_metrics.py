"""Figures of several worker processes behind one port: each sample says whose it is.

Whichever worker is asked tells of all of them, so that a scrape is never of one by chance.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

# what all workers say alike, as it stands in the project's ledger
_SHARED = "evalkit_budget_left_"


class Siblings(Protocol):
    """The worker processes behind one port, this one among them."""

    def telling(self, text: Callable[[], Awaitable[bytes]]) -> AbstractAsyncContextManager[None]:
        """Tell the others the figures of this one, as `text` gives them, until the block ends."""

    async def texts(self, own: bytes) -> Mapping[int, bytes | None]:
        """The figures of each worker by its number: `own` of this one, None of one that does not
        tell."""


class _Workers(Collector):
    def __init__(self, texts: Mapping[int, bytes | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        """One family after the other, with the samples of all workers."""
        up = GaugeMetricFamily(
            "evalkit_worker_up", "1 for a worker that tells its figures.", labels=["worker"]
        )
        families: dict[str, Metric] = {}
        for number, text in sorted(self._texts.items()):
            up.add_metric([str(number)], float(text is not None))
            for family in text_string_to_metric_families((text or b"").decode()):
                known = families.setdefault(
                    family.name, Metric(family.name, family.documentation, family.type)
                )
                if family.name.startswith(_SHARED):
                    known.samples = known.samples or list(family.samples)
                    continue
                for sample in family.samples:
                    labels = sample.labels | {"worker": str(number)}
                    known.samples.append(sample._replace(labels=labels))
        yield up
        yield from families.values()


def texts_together(texts: Mapping[int, bytes | None]) -> bytes:
    """The figures of all workers, by their numbers, in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Workers(texts))
    return generate_latest(registry)
