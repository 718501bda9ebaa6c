"""An index of files, read and cut into chunks: what retrieval ranks, and what makes it differ."""

from typing import Literal

import msgspec

from evalkit.records.case import Document

Rank = Literal["bm25", "embedding"]


class IndexContent(msgspec.Struct, frozen=True, kw_only=True):
    """What an index over a folder holds.

    `files` maps the path of each file, in the project, to the digest of its content. `documents`
    are the chunks in the order of files and places, `scopes` maps a file to the scopes of its
    front matter where it has any. `digest` stands for all that decides what is found: files,
    chunking, ranking, and the version of what ranks.
    """

    name: str
    rank: Rank
    files: dict[str, str]
    documents: tuple[Document, ...]
    digest: str
    scopes: dict[str, tuple[str, ...]] = {}
