"""What every kind of index is asked through."""

from collections.abc import Collection
from typing import Protocol

from evalkit.records.case import Document

# How many documents of a shared index one retrieval gives where its route names no max_chunks.
DEFAULT_CHUNKS = 20


class Retriever(Protocol):
    """One index. `remote` tells that a query leaves this process, so that it is redacted first."""

    remote: bool

    async def find(self, query: str, *, k: int, identity: str) -> tuple[Document, ...]:
        """What matches, best first: at least `k` documents where there are as many.

        `identity` is a pseudonym. Raises ProviderError for an index that does not answer,
        StoreError for a cache that cannot be used.
        """


def readable(document: Document, scopes: Collection[str]) -> bool:
    """Whether an identity with these scopes may read the document."""
    return not document.scopes or any(scope in scopes for scope in document.scopes)
