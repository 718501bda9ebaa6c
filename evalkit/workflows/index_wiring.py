"""Builds what indexes are asked through: one object an index and content, for all who ask it."""

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evalkit import embedding
from evalkit.config.indexes import HttpIndex
from evalkit.config.model import Config
from evalkit.config.routes import Route
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.control.retrieval.folder import FolderRetriever
from evalkit.control.retrieval.ranking import Bm25Ranker, EmbeddingRanker, Encoder, Ranker
from evalkit.control.retrieval.retriever import Retriever
from evalkit.ports import Clock, Transport
from evalkit.records.index import IndexContent
from evalkit.sources.indexes import readable_indexes
from evalkit.store.vectors import VectorCache


class IndexWiring:
    """Two variants with an equal index share it, so that each query is ranked once.

    `encode` makes embeddings; another one is for tests.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Clock,
        environ: Mapping[str, str],
        encode: Encoder = embedding.embed,
    ) -> None:
        """Nothing is opened before it is needed."""
        self._root = root
        self._clock = clock
        self._environ = environ
        self._encode = encode
        self._built: dict[str, Retriever] = {}
        self._vectors: VectorCache | None = None

    def catalogue(
        self,
        config: Config,
        route: Route,
        contents: Mapping[str, IndexContent],
        *,
        transport: Callable[[], Transport],
    ) -> Catalogue:
        """The indexes that sessions on the route may ask."""
        shared: dict[str, Retriever] = {}
        unread: list[str] = []
        names = readable_indexes(config, route)
        for name in names:
            index = config.indexes[name]
            if index.http is not None:
                shared[name] = self._service(name, index.http, config, transport)
            elif name in contents:
                shared[name] = self._folder(contents[name])
            elif index.folder is not None:
                unread.append(name)
        return Catalogue(
            shared=shared,
            scopes={name: each for name in names if (each := config.indexes[name].scopes)},
            unread=frozenset(unread),
            granted=config.scopes,
        )

    def close(self) -> None:
        """Give files back."""
        self._built.clear()
        if self._vectors is not None:
            self._vectors.close()
            self._vectors = None

    def _folder(self, content: IndexContent) -> Retriever:
        key = f"{content.name} {content.digest}"
        if key not in self._built:
            build = Bm25Ranker if content.rank == "bm25" else self._by_meaning
            self._built[key] = FolderRetriever(content, build)
        return self._built[key]

    def _by_meaning(self, texts: Sequence[str]) -> Ranker:
        if self._vectors is None:
            self._vectors = VectorCache(self._root)
        return EmbeddingRanker(
            texts,
            encode=self._encode,
            model=embedding.encoder_name(),
            vectors=self._vectors,
        )

    def _service(
        self, name: str, settings: HttpIndex, config: Config, transport: Callable[[], Transport]
    ) -> Retriever:
        key = repr((name, settings.plain(), config.run.retries))
        if key not in self._built:
            from evalkit.control.retrieval.http import HttpRetriever

            self._built[key] = HttpRetriever(
                name,
                settings,
                transport=transport(),
                clock=self._clock,
                environ=self._environ,
                retries=config.run.retries,
                jitter=random.Random(),
            )
        return self._built[key]
