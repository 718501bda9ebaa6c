"""What of the documents found a session may use: scopes, then how many, then how long."""

from collections.abc import Callable, Sequence

import msgspec

from evalkit.records.case import Document
from evalkit.records.token_estimate import estimate_tokens


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """`kept` may be used. The rest was refused, and by what: `out_of_scope` the identity may not
    read, `too_many` are above max_chunks, `too_long` above max_tokens. `tokens` are of `kept`."""

    kept: tuple[Document, ...]
    out_of_scope: tuple[Document, ...]
    too_many: tuple[Document, ...]
    too_long: tuple[Document, ...]
    tokens: int


def select(
    found: Sequence[Document],
    *,
    readable: Callable[[Document], bool],
    max_chunks: int | None,
    max_tokens: int | None,
) -> Selection:
    """The best of the documents found, which are in their order.

    The first one that does not fit under `max_tokens` ends it: what comes after is less relevant,
    and taking it because it is short would be another ranking.
    """
    allowed = [document for document in found if readable(document)]
    chosen = allowed[:max_chunks]
    kept: list[Document] = []
    tokens = 0
    for document in chosen:
        size = estimate_tokens(document.text) if max_tokens is not None else 0
        if max_tokens is not None and tokens + size > max_tokens:
            break
        tokens += size
        kept.append(document)
    return Selection(
        kept=tuple(kept),
        out_of_scope=tuple(document for document in found if not readable(document)),
        too_many=tuple(allowed[len(chosen) :]),
        too_long=tuple(chosen[len(kept) :]),
        tokens=tokens,
    )
