"""Indexes as a user meets them: a folder that changes, scopes, a service that is down."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ask, call_evalkit
from tests.cli.project import ProjectFiles
from tests.servers.replay_server import Exchange, ReplayServer

Spoil = Callable[["Knowing"], None]

TEXT = "A refund takes ten days.\n"


class Knowing(ProjectFiles):
    """A project whose prompt reads the index `kb`, over a folder of three pages."""

    def prompt(self, version: int, text: str = "{{ documents | length }}") -> str:
        shown = super().prompt(version, text + " {{ input.question }}")
        return shown + "retrieve: {index: kb, query: 'refund {{ input.question }}'}\n"

    def page(self, name: str, text: str | bytes) -> None:
        """Write a page."""
        path = self.root / "docs/kb" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def project(tmp_path: Path) -> Knowing:
    project = Knowing(tmp_path / "project")
    project.config["indexes"] = {"kb": {"folder": "docs/kb"}}
    project.route["retrieval"] = {"max_chunks": 2}
    for name in ("a.md", "b.md", "c.md"):
        project.page(name, f"# {name}\n\n{TEXT}")
    project.write()
    return project


def run_record(done: Any) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(done.out)
    return record


def test_fewer_chunks_are_a_candidate_with_its_trace(ask: Ask, project: Knowing) -> None:
    done = ask("run", "--set", "routes.ask.retrieval.max_chunks=1", "--json", cwd=project.root)
    assert done.code == 0, done.err
    baseline, candidate = run_record(done)["suites"][0]["variants"]
    assert baseline["digests"]["indexes.kb"] == candidate["digests"]["indexes.kb"]
    shown = ask("show", "latest", "c0000", cwd=project.root).out
    assert "1 of 3 documents of index kb" in shown and "2 of 3 documents of index kb" in shown
    assert TEXT.strip() not in shown


def test_another_index_is_another_variant(ask: Ask, project: Knowing) -> None:
    project.commit()
    project.page("a.md", f"# a.md\n\n{TEXT} By bank transfer.\n")
    done = ask("run", "--baseline", "HEAD", "--json", cwd=project.root)
    assert done.code == 0, done.err
    baseline, candidate = run_record(done)["suites"][0]["variants"]
    assert baseline["digests"]["indexes.kb"] != candidate["digests"]["indexes.kb"]
    assert baseline["content"] != candidate["content"]


def test_an_index_that_changed_alike_in_both_variants_is_no_pass(
    ask: Ask, project: Knowing
) -> None:
    project.commit()
    project.page("a.md", "Refunds were abolished.\n")
    done = ask("run", cwd=project.root)
    assert done.code == 3, done.out + done.err
    assert "indexes.kb changed since the base in both variants alike" in " ".join(done.out.split())


@pytest.mark.parametrize("change", ["file", "gone", "settings"])
def test_an_index_that_no_suite_of_the_run_reads_is_refused(
    ask: Ask, project: Knowing, change: str
) -> None:
    project.config["indexes"]["other"] = {"folder": "docs/other"}
    for name in ("a.md", "b.md"):
        project.page(f"../other/{name}", TEXT)
    project.write()
    project.commit()
    if change == "file":
        project.page("../other/a.md", "Changed.")
    elif change == "gone":
        (project.root / "docs/other/a.md").unlink()
    else:
        project.config["indexes"]["other"]["chunk"] = {"max_chars": 60}
        project.write()
    done = ask("run", cwd=project.root)
    assert done.code == 2 and "index other" in done.err
    assert ask("run", "--allow-unexercised", cwd=project.root).code == 0


def missing(project: Knowing) -> None:
    for path in (project.root / "docs/kb").iterdir():
        path.unlink()
    (project.root / "docs/kb").rmdir()


def empty(project: Knowing) -> None:
    for path in (project.root / "docs/kb").iterdir():
        path.unlink()


def wordless(project: Knowing) -> None:
    for name in ("a.md", "b.md", "c.md"):
        project.page(name, "---\ntitle: x\n---\n")


def binary(project: Knowing) -> None:
    project.page("a.md", b"\x00\x01\xff")


def huge(project: Knowing) -> None:
    project.page("a.md", b"x" * (2 * 1024 * 1024 + 1))


def leading_out(project: Knowing) -> None:
    secret = project.root.parent / "secret.md"
    secret.write_text("secret")
    os.symlink(secret, project.root / "docs/kb/d.md")


def unclear_scope(project: Knowing) -> None:
    project.page("a.md", "---\nscopes: legal\n---\nText.\n")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (missing, "there is no folder docs/kb, or nothing in it"),
        (empty, "there is no folder docs/kb, or nothing in it"),
        (wordless, "the 3 files in docs/kb hold no text, so nothing can be found"),
        (binary, "docs/kb/a.md: is no text in UTF-8"),
        (huge, "docs/kb/a.md: is larger than 2 MB"),
        (leading_out, "docs/kb/d.md: is a symlink that leads out of the project"),
        (unclear_scope, "docs/kb/a.md:2:9: scopes: is no list of scopes"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "check"])
def test_an_index_that_cannot_be_searched_ends_with_2(
    ask: Ask,
    project: Knowing,
    spoil: Callable[[Knowing], None],
    says: str,
    verb: str,
) -> None:
    spoil(project)
    said = ask(verb, cwd=project.root)
    assert said.code == 2, said.out + said.err
    assert says in said.out + said.err


def test_an_index_that_is_misspelt_ends_with_2(ask: Ask, project: Knowing) -> None:
    project.config["indexes"] = {"kbs": {"folder": "docs/kb"}}
    project.write()
    said = ask("run", cwd=project.root)
    assert said.code == 2
    assert "of which no case of ask@v1 brings a document" in said.err
    assert "did you mean 'kbs'?" in said.err


def test_an_index_in_which_nothing_is_ever_found_is_told(ask: Ask, project: Knowing) -> None:
    for name in ("a.md", "b.md", "c.md"):
        project.page(name, "Etwas in einer anderen Sprache.")
    done = ask("run", cwd=project.root)
    words = " ".join(done.out.split())
    assert "suite ask, candidate: index kb gave no document to any of 120 retrievals" in words


def test_the_cap_in_tokens_is_explained(ask: Ask, project: Knowing) -> None:
    project.route["retrieval"] = {"max_chunks": 2, "max_tokens": 500}
    project.write()
    assert (
        "2 chunks, 500 tokens of chunks"
        in ask("route", "explain", "--route", "ask", cwd=project.root).out
    )


def test_scopes_keep_documents_from_a_case(ask: Ask, project: Knowing) -> None:
    project.page("a.md", f"---\nscopes: [legal]\n---\n# a.md\n\n{TEXT}")
    project.config["scopes"] = {"teams": {"counsel": ["legal"]}}
    project.case_changes = {0: {"identity": {"team": "counsel"}}, 1: {"identity": {"team": "x"}}}
    project.route["retrieval"] = {"max_chunks": 3}
    project.write()
    assert ask("run", cwd=project.root).code == 0
    lawyer = ask("show", "latest", "c0000", cwd=project.root).out
    other = ask("show", "latest", "c0001", cwd=project.root).out
    assert "a.md#1" in lawyer and "documents.scopes" not in lawyer
    assert "documents.scopes" in other and "3 of 3 documents" not in other


def test_an_index_with_scopes_blocks_whoever_has_none(ask: Ask, project: Knowing) -> None:
    project.config["indexes"]["kb"]["scopes"] = ["support"]
    project.write()
    done = ask("run", cwd=project.root)
    assert done.code != 0
    assert "indexes.kb.scopes" in ask("show", "latest", "c0000", cwd=project.root).out


def test_dropped_scopes_are_a_looser_policy(ask: Ask, project: Knowing) -> None:
    project.config["indexes"]["kb"]["scopes"] = ["support"]
    project.config["scopes"] = {"teams": {"desk": ["support"]}}
    project.page("a.md", f"---\nscopes: [support]\n---\n{TEXT}")
    project.write()
    project.commit()
    project.page("a.md", TEXT)
    del project.config["indexes"]["kb"]["scopes"]
    project.config["scopes"]["teams"]["sales"] = ["support"]
    project.config["routes"][0]["retrieval"] = {"max_chunks": 3}
    project.write()
    said = " ".join(ask("run", "--baseline", "HEAD", cwd=project.root).out.split())
    for words in (
        "index kb is no longer kept to support",
        "docs/kb/a.md is no longer kept to support",
        "team sales has the scopes support as well",
        "route ask may retrieve more chunks",
    ):
        assert words in said


@pytest.fixture
def service() -> Iterator[ReplayServer]:
    server = ReplayServer()
    server.start()
    server.reply = Exchange({"documents": [{"id": "d1", "text": TEXT}]})
    yield server
    server.stop()


def served(project: Knowing, url: str, **settings: Any) -> None:
    project.config["indexes"] = {"kb": {"http": {"url": url, **settings}}}
    project.config["run"] = {"retries": 0}
    project.write()


def test_a_service_is_asked_and_warned_about(
    ask: Ask, project: Knowing, service: ReplayServer
) -> None:
    served(project, f"{service.url}/search", key_env="KB_KEY")
    done = call_evalkit("run", cwd=project.root, environ={"KB_KEY": "key-0123456789abcdef"})
    assert done.returncode == 0, done.stderr
    words = " ".join((done.stdout + done.stderr).split())
    assert "what the service holds is not versioned" in words
    # both variants and both looks at a case, plan and attempt, share one answer
    assert len(service.sent) == 120
    assert "key-0123456789abcdef" not in "".join(
        path.read_text(errors="replace")
        for path in (project.root / ".evalkit").rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Exchange({"error": "down"}, 500), "answered 500"),
        (Exchange(b"<html>"), "did not answer"),
        (Exchange({"documents": [{"id": 1}]}), "did not answer"),
    ],
)
def test_a_service_that_fails_is_no_failed_gate(
    ask: Ask, project: Knowing, service: ReplayServer, reply: Exchange, says: str
) -> None:
    served(project, f"{service.url}/search")
    service.reply = reply
    said = ask("run", cwd=project.root)
    assert said.code == 4, said.out + said.err
    assert says in said.err


def test_a_service_that_is_not_there_is_no_failed_gate(ask: Ask, project: Knowing) -> None:
    served(project, "http://127.0.0.1:9/search")
    assert ask("run", cwd=project.root).code == 4


def test_a_service_without_its_key_ends_with_2(
    ask: Ask, project: Knowing, service: ReplayServer
) -> None:
    served(project, f"{service.url}/search", key_env="KB_KEY")
    said = ask("run", cwd=project.root)
    assert said.code == 2 and "$KB_KEY, which is not set" in said.err
