"""Indexes as they are built for a run: shared where they are equal, embedded once for good."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from evalkit import embedding
from evalkit.config.model import Config
from evalkit.control.retrieval.catalogue import Catalogue
from evalkit.ports import Transport
from evalkit.records.case import Document
from evalkit.records.index import IndexContent, Rank
from evalkit.workflows.index_wiring import IndexWiring
from tests.unit.control.fakes import FakeClock


class Encoder:
    """Counts the letter a."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        self.asked += texts
        return [(float(text.count("a")), 1.0) for text in texts]


def content(*texts: str, rank: Rank = "bm25") -> IndexContent:
    return IndexContent(
        name="kb",
        rank=rank,
        files={},
        documents=tuple(
            Document(id=f"p#{number}", index="kb", text=text) for number, text in enumerate(texts)
        ),
        digest="sha256:" + "|".join(texts),
    )


def no_transport() -> Transport:
    raise AssertionError("no service is asked")


def config(**retrieval: Any) -> Config:
    route = {"name": "r", "models": {"primary": "m"}, "retrieval": retrieval}
    return Config.model_validate({"routes": [route], "indexes": {"kb": {"folder": "docs/kb"}}})


def catalogue(wiring: IndexWiring, *contents: IndexContent, **retrieval: Any) -> Catalogue:
    whole = config(**retrieval)
    held = {each.name: each for each in contents}
    return wiring.catalogue(whole, whole.routes[0], held, transport=no_transport)


def wiring(tmp_path: Path, encode: Encoder | None = None) -> IndexWiring:
    return IndexWiring(tmp_path, clock=FakeClock(), environ={}, encode=encode or Encoder())


def test_two_variants_with_one_content_share_an_index(tmp_path: Path) -> None:
    built = wiring(tmp_path)
    one, two = catalogue(built, content("a")), catalogue(built, content("a"))
    other = catalogue(built, content("b"))
    assert one.shared["kb"] is two.shared["kb"]
    assert one.shared["kb"] is not other.shared["kb"]


def test_an_index_that_the_route_does_not_allow_is_not_built(tmp_path: Path) -> None:
    assert catalogue(wiring(tmp_path), content("a"), allow_indexes=[]).shared == {}


def test_an_index_whose_files_nobody_read_is_known_as_such(tmp_path: Path) -> None:
    assert catalogue(wiring(tmp_path)).unread == {"kb"}


@pytest.mark.embeddings
@pytest.mark.skipif(not embedding.is_installed(), reason="needs the extra `embeddings`")
def test_an_unchanged_document_is_never_embedded_again_not_in_a_later_run_either(
    tmp_path: Path,
) -> None:
    encoder = Encoder()
    for texts in (("aa", "b"), ("aa", "b"), ("aa", "changed")):
        run = wiring(tmp_path, encoder)
        shared = catalogue(run, content(*texts, rank="embedding")).shared["kb"]
        found = asyncio.run(shared.find("aaa", k=1, identity=""))
        assert found[0].text == "aa"
        run.close()
    assert encoder.asked == ["aa", "b", "aaa", "aaa", "changed", "aaa"]
