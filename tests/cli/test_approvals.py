"""`evalkit approvals`: from a call that waits to one that runs, and everything that says no."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit import Identity, Project
from evalkit.errors import PolicyBlocked
from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall
from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer

SIGN = ToolCall(name="sign", arguments={"doc": "d-1", "to": "ann@example.org"})


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


@pytest.fixture
def project(tmp_path: Path, server: OpenAIServer) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=3)
    files.config["providers"] = {"served": {"kind": "openai", "base_url": server.url}}
    files.config["models"]["tiny"]["provider"] = "served"
    files.route["approvals"] = {"on_execute": {"team": "legal_ops", "expires_s": 7200}}
    return files.write()


def call_tool(files: ProjectFiles) -> str | None:
    """What a service meets that wants to execute a tool: None, or the approval it waits for."""

    async def use() -> None:
        async with Project.load(files.root).session("ask", Identity(user="ana")) as session:
            await session.complete([Message(role="user", content="go")], tools=[Tool(name="sign")])
            session.authorize(SIGN)

    try:
        asyncio.run(use())
    except PolicyBlocked as blocked:
        return blocked.approval or blocked.rule
    return None


def listed(ask: Ask, *options: str) -> list[dict[str, Any]]:
    said = ask("approvals", "list", "--json", *options)
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["schema"] == "evalkit.approvals/1"
    approvals: list[dict[str, Any]] = told["approvals"]
    return approvals


def test_a_call_waits_is_granted_and_runs_once(project: ProjectFiles, ask: Ask) -> None:
    waiting = call_tool(project)
    assert waiting is not None
    said = ask("approvals", "list")
    assert said.code == 0
    for part in (waiting, "pending", "sign on route ask", "[EMAIL_1]", "--team legal_ops"):
        assert part in said.out
    assert "ann@" not in said.out
    granted = ask(
        "approvals", "grant", waiting, "--as", "kim", "--team", "legal_ops", "--expires", "30m"
    )
    assert granted.code == 0, granted.err
    assert "one call of sign on route ask may run until" in granted.out
    assert [each["state"] for each in listed(ask)] == ["granted"]
    assert call_tool(project) is None
    assert listed(ask) == []
    [used] = listed(ask, "--all")
    assert (used["state"], used["by"], used["by_team"]) == ("used", "kim", "legal_ops")
    assert call_tool(project) not in (None, waiting)


def test_a_denied_call_stays_denied_until_it_is_granted(project: ProjectFiles, ask: Ask) -> None:
    waiting = str(call_tool(project))
    said = ask("approvals", "deny", waiting[:7], "--reason", "no ticket", "--json")
    assert said.code == 0, said.err
    [denied] = json.loads(said.out)["approvals"]
    assert (denied["state"], denied["reason"]) == ("denied", "no ticket")
    assert call_tool(project) == waiting
    assert listed(ask) == []
    assert ask("approvals", "grant", waiting, "--as", "kim", "--team", "legal_ops").code == 0
    assert call_tool(project) is None


def test_decisions_are_in_the_audit_log(project: ProjectFiles, ask: Ask) -> None:
    waiting = str(call_tool(project))
    ask("approvals", "deny", waiting, "--as", "lee", "--reason", "no ticket of ann@example.org")
    ask("approvals", "grant", waiting, "--as", "kim", "--team", "legal_ops")
    log = (project.root / ".evalkit/audit/log.jsonl").read_text()
    assert log.count("approval.denied") == log.count("approval.granted") == 1
    assert '"kim"' in log
    assert '"lee"' in log
    assert "ann@example.org" not in log


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--as", "kim", "--team", "sales"], "is for legal_ops to decide, not for sales"),
        (["--as", "", "--team", "legal_ops"], "--as names nobody"),
        (["--as", "kim", "--team", "legal_ops", "--expires", "3h"], "for at most 7200 s"),
        (["--as", "kim", "--team", "legal_ops", "--expires", "soon"], "is no time"),
        (["--as", "kim", "--team", "legal_ops", "--expires", "0m"], "is no time"),
        (["--as", "kim"], "--team"),
        (["--team", "legal_ops"], "--as"),
    ],
)
def test_a_grant_that_cannot_be_is_refused(
    project: ProjectFiles, ask: Ask, arguments: list[str], says: str
) -> None:
    waiting = str(call_tool(project))
    said = ask("approvals", "grant", waiting, *arguments)
    assert said.code == 2
    assert says in " ".join(said.err.split())
    assert said.out == ""
    assert [each["state"] for each in listed(ask)] == ["pending"]


def test_a_denial_needs_a_reason(project: ProjectFiles, ask: Ask) -> None:
    waiting = str(call_tool(project))
    assert ask("approvals", "deny", waiting).code == 2
    said = ask("approvals", "deny", waiting, "--reason", " ")
    assert said.code == 2
    assert "needs its --reason" in said.err


@pytest.mark.parametrize("verb", ["grant", "deny"])
def test_an_unknown_id_is_refused(project: ProjectFiles, ask: Ask, verb: str) -> None:
    more = ["--team", "legal_ops"] if verb == "grant" else ["--reason", "no"]
    said = ask("approvals", verb, "ap-nothing", "--as", "kim", *more)
    assert said.code == 2
    assert "there is no approval 'ap-nothing'" in said.err


def test_a_list_of_approvers_leaves_everybody_else_out(project: ProjectFiles, ask: Ask) -> None:
    project.config["approvers"] = {"legal_ops": ["kim"], "sales": ["lee"]}
    project.write()
    waiting = str(call_tool(project))
    for user, team, says in (
        ("lee", "legal_ops", "lee is not one of the approvers of legal_ops"),
        ("lee", "sales", "is for legal_ops to decide"),
        ("kim", "boss", "lists no approvers of boss"),
    ):
        said = ask("approvals", "grant", waiting, "--as", user, "--team", team)
        assert said.code == 2
        assert says in " ".join(said.err.split())
    said = ask("approvals", "deny", waiting, "--as", "lee", "--reason", "no")
    assert said.code == 2
    assert ask("approvals", "grant", waiting, "--as", "kim", "--team", "legal_ops").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["grant", "ap-1", "--as", "kim", "--team", "legal_ops"],
        ["deny", "ap-1", "--reason", "no"],
    ],
)
def test_without_a_project_nothing_is_made(tmp_path: Path, ask: Ask, arguments: list[str]) -> None:
    said = ask("approvals", *arguments)
    assert said.code == 2
    assert "there is no evalkit.yaml" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_empty_list_says_so(project: ProjectFiles, ask: Ask) -> None:
    said = ask("approvals", "list")
    assert (said.code, said.out.strip()) == (0, "nothing waits for an approval")
    assert not (project.root / ".evalkit").exists()


@pytest.mark.parametrize("fault", ["damaged", "locked"])
def test_a_store_that_cannot_be_read_is_4_and_denies(
    project: ProjectFiles, ask: Ask, fault: str
) -> None:
    waiting = str(call_tool(project))
    path = project.root / ".evalkit/approvals.db"
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        if fault == "locked":
            holder.execute("BEGIN IMMEDIATE")
        else:
            holder.close()
            path.write_bytes(b"nothing that SQLite would know " * 200)
        for arguments in (
            ["list"],
            ["grant", waiting, "--as", "kim", "--team", "legal_ops"],
        ):
            said = ask("approvals", *arguments)
            assert said.code == 4
            assert "approvals" in said.err
            assert said.out == ""
        assert call_tool(project) == "policy.error"
    finally:
        holder.close()


def test_a_run_of_a_golden_set_leaves_the_store_alone(project: ProjectFiles, ask: Ask) -> None:
    project.config["providers"] = {
        "served": {"kind": "scripted", "path": "scripted/{suite}.jsonl"},
    }
    project.write()
    assert ask("run", "--quiet", "--no-baseline").code in (0, 2, 3)
    assert not (project.root / ".evalkit/approvals.db").exists()
