"""evalkit from Python: load, run, frame, compare, and a session of the control core."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from evalkit import ConfigError, Identity, Project, Run, compare
from evalkit.errors import PolicyBlocked, UsageError
from evalkit.records.asset import Tool
from evalkit.records.call import Message
from evalkit.records.case import Document
from evalkit.records.verdict import Outcome
from tests.cli.project import ProjectFiles, wrong_in_first
from tests.servers.openai_server import OpenAIServer


@pytest.fixture
def files(tmp_path: Path) -> ProjectFiles:
    project = ProjectFiles(tmp_path / "project")
    project.replies["ask@v2"] = wrong_in_first(12)
    return project.write()


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


def test_a_project_runs_and_its_run_is_a_frame_and_a_bundle(files: ProjectFiles) -> None:
    project = Project.load(files.root / "prompts")
    run = project.run(set={"suites.ask.target.prompt": "ask@v2"})
    assert run.exit_code == 1
    assert run.verdict is not None and run.verdict.outcome is Outcome.FAIL
    frame = run.frame()
    exact = frame[(frame.scorer == "exact") & (frame.variant == "candidate")]
    assert (len(exact), int((exact.passed == False).sum())) == (120, 12)  # noqa: E712
    loaded = Run.load(run.stored.path)
    assert loaded.verdict == run.verdict
    pd.testing.assert_frame_equal(loaded.frame(), frame)


def test_a_broken_project_lists_every_problem(files: ProjectFiles) -> None:
    files.config["routes"][0]["max_tokns"] = 3
    files.config["suites"]["ask"]["golden"] = "aks@v1"
    files.write()
    with pytest.raises(ConfigError) as caught:
        Project.load(files.root)
    assert len(caught.value.problems) == 2


def test_no_project_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="evalkit init"):
        Project.load(tmp_path)


def test_frames_from_anywhere_are_compared() -> None:
    base = pd.DataFrame({"case": [f"c{i}" for i in range(200)], "passed": [True] * 200})
    worse = base.assign(passed=[i >= 20 for i in range(200)])
    gaps = base.assign(passed=[None if i < 100 else True for i in range(200)])
    assert compare(base, base).outcome is Outcome.PASS
    assert compare(base, worse).exit_code == 1
    assert compare(base, gaps).exit_code == 4
    with pytest.raises(UsageError, match="no column passed"):
        compare(base, base[["case"]])
    with pytest.raises(UsageError, match=r"passed is True, False or missing, not 0\.5"):
        compare(base, base.assign(passed=[0.5] * 200))


def test_a_session_is_the_core_that_runs_are_gated_on(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.config["providers"] = {"served": {"kind": "openai", "base_url": server.url}}
    files.config["models"]["tiny"]["provider"] = "served"
    files.route["policies"] = {"pii_redaction": True, "disallow_actions": ["refund"]}
    files.route["max_tokens"] = 200
    files.route["retrieval"] = {"allow_indexes": ["kb"], "max_chunks": 1}
    files.write()
    server.script('tool_call:refund {"order": "A-10233"}')

    async def use() -> None:
        kb = [Document(id=f"d{i}", index="kb", text=f"late payout {i}") for i in range(3)]
        async with Project.load(files.root).session(
            "ask", Identity(user="u1", team="support"), documents=kb
        ) as session:
            assert len(await session.retrieve("kb", "late payout")) == 1
            with pytest.raises(PolicyBlocked):
                await session.retrieve("secrets", "salaries")
            reply = await session.complete(
                [Message(role="user", content="Write to ann@example.org about A-10233")],
                tools=[Tool(name="refund")],
            )
            with pytest.raises(PolicyBlocked, match="refund"):
                session.authorize(reply.tool_calls[0])

    asyncio.run(use())
    assert "ann@example.org" not in server.seen[0].text
    assert "A-10233" in server.seen[0].text


def test_a_session_on_an_unknown_route_is_refused(files: ProjectFiles) -> None:
    async def use() -> None:
        async with Project.load(files.root).session("aks", Identity()):
            raise AssertionError("there is no such route")

    with pytest.raises(UsageError, match="there is ask"):
        asyncio.run(use())
