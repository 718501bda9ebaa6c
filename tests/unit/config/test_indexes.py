"""What an index and its scopes may say in evalkit.yaml."""

from typing import Any

import pytest
from pydantic import ValidationError

from evalkit.config.indexes import Index, Scopes
from evalkit.config.load import load_config
from evalkit.config.routes import Retrieval, Route
from tests.unit.config.conftest import GOOD


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ({}, "one of `documents: case`, `folder` and `http`"),
        ({"folder": "a", "documents": "case"}, "one of `documents: case`"),
        ({"documents": "case", "chunk": {}}, "chunk belongs to an index over a folder"),
        ({"http": {"url": "http://x/"}, "rank": "bm25"}, "rank belongs to an index over a folder"),
        ({"folder": "../a"}, "no path inside the project"),
        ({"folder": "/etc"}, "no path inside the project"),
        ({"folder": "./"}, "one below evalkit.yaml"),
        ({"folder": "a", "glob": []}, "glob names no file"),
        ({"folder": "a", "chunk": {"max_chars": 100, "max_tokens": 30}}, "one limit"),
        ({"folder": "a", "chunk": {"max_chars": 100, "overlap": 51}}, "more than half"),
        ({"folder": "a", "chunk": {"overlap": 700}}, "more than half of a chunk (1200)"),
        ({"folder": "a", "scopes": []}, "at least 1"),
        ({"folder": "a", "scopes": [""]}, "at least 1"),
        ({"http": {"url": "ftp://x"}}, "match pattern"),
        ({"http": {"url": "http://x", "key_header": "a: b"}}, "match pattern"),
    ],
)
def test_what_an_index_may_not_be(index: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=r".") as caught:
        Index.model_validate(index)
    assert says in str(caught.value)


def test_defaults_are_filled_in() -> None:
    index = Index(folder="./docs/kb/")
    assert (index.root, index.globs) == ("docs/kb", ("**/*.md", "**/*.txt"))
    assert (index.chunking.max_chars, index.ranking) == (1200, "bm25")


def test_an_identity_has_the_scopes_of_its_team_and_its_organisation() -> None:
    scopes = Scopes(teams={"support": ["a", "b"]}, orgs={"acme": ["c"]})
    assert scopes.of(team="support", org="acme") == {"a", "b", "c"}
    assert scopes.of(team="sales", org="") == frozenset()
    assert Scopes().of(team="", org="") == frozenset()


def test_a_route_without_max_tokens_is_written_as_before_there_was_one() -> None:
    """Digests of routes and judges rest on it."""
    assert Retrieval().plain() == {"max_chunks": None, "allow_indexes": None}
    route = Route.model_validate({"name": "r", "models": {"primary": "m"}})
    assert "max_tokens" not in route.plain()["retrieval"]
    assert Retrieval(max_tokens=5).plain()["max_tokens"] == 5


def test_a_service_is_a_warning_that_nothing_versions_it() -> None:
    text = GOOD + "indexes:\n  kb: {http: {url: http://127.0.0.1/search}}\n"
    warnings = [str(each) for each in load_config(text.encode()).warnings]
    assert any("indexes.kb.http: what the service holds is not versioned" in w for w in warnings)
