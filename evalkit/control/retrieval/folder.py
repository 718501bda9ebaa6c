"""An index over a folder of the project: its chunks, ranked once for each query."""

from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence

from evalkit.control.retrieval.ranking import Ranker
from evalkit.records.case import Document
from evalkit.records.index import IndexContent

# Places that are remembered for all queries together: 16 MB of them.
_REMEMBERED = 4_000_000

BuildRanker = Callable[[Sequence[str]], Ranker]


class FolderRetriever:
    """Implements Retriever over chunks that do not change while it lives."""

    remote = False

    def __init__(self, content: IndexContent, build: BuildRanker) -> None:
        """`build` makes the ranker when the first query comes."""
        self._documents = content.documents
        self._build = build
        self._ranker: Ranker | None = None
        self._orders: OrderedDict[str, array[int]] = OrderedDict()
        self._held = 0

    async def find(self, query: str, *, k: int, identity: str) -> tuple[Document, ...]:
        """Every chunk that matches, best first."""
        return tuple(self._documents[place] for place in self._order(query))

    def _order(self, query: str) -> Sequence[int]:
        known = self._orders.get(query)
        if known is not None:
            self._orders.move_to_end(query)
            return known
        if self._ranker is None:
            self._ranker = self._build([document.text for document in self._documents])
        order = self._orders[query] = array("I", self._ranker.order(query))
        self._held += len(order)
        while self._held > _REMEMBERED and len(self._orders) > 1:
            self._held -= len(self._orders.popitem(last=False)[1])
        return order
