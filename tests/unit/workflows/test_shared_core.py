"""What sessions of one project share, for how long, and what one of them cannot do to another."""

import asyncio
import warnings
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from evalkit import Identity, Project
from evalkit.errors import BudgetExhausted, Refused
from evalkit.records.call import Message
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer

HELLO = [Message(role="user", content="Hello")]


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


@pytest.fixture
def files(tmp_path: Path, server: OpenAIServer) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=1)
    files.config["providers"] = {"served": {"kind": "openai", "base_url": server.url}}
    files.config["models"]["tiny"]["provider"] = "served"
    files.config["run"] = {"retries": 0}
    return files


@pytest.fixture(autouse=True)
def _nothing_is_left_open() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        yield


async def ask(project: Project, user: str = "ann") -> str:
    async with project.session("ask", Identity(user=user)) as session:
        return (await session.complete(HELLO)).content


def test_sessions_that_follow_each_other_in_an_entered_project_use_one_connection(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.write()

    async def use() -> None:
        async with Project.load(files.root) as project:
            for _ in range(5):
                assert await ask(project) == "ok"

    asyncio.run(use())
    assert server.books.requests == 5
    assert server.books.connections == 1
    assert server.left_alone.wait(5)


def test_sessions_at_the_same_time_share_connections_and_the_last_one_gives_them_back(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.write()
    project = Project.load(files.root)

    async def use() -> None:
        async with project.session("ask") as first:
            await first.complete(HELLO)
            for _ in range(3):
                assert await ask(project) == "ok"
            await first.complete(HELLO)
        assert server.books.connections == 1
        assert server.left_alone.wait(5)
        assert await ask(project) == "ok"

    asyncio.run(use())
    assert server.books.connections == 2
    assert server.left_alone.wait(5)


def test_a_session_that_ends_leaves_the_calls_of_others_alone(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.write()
    server.script("slow:0.3")
    project = Project.load(files.root)

    async def use() -> list[str]:
        slow = asyncio.create_task(ask(project))
        while not server.seen:
            await asyncio.sleep(0)
        others = await asyncio.gather(*(ask(project) for _ in range(8)))
        assert not slow.done()
        return [await slow, *others]

    assert asyncio.run(use()) == ["ok"] * 9


def test_cancelled_and_failed_sessions_leave_nothing_open(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.config["budgets"] = [{"scope": "team", "max_tokens": 100_000}]
    files.write()
    server.decide = lambda request: ("slow:1", "status:500", "ok")[len(server.seen) % 3]
    project = Project.load(files.root)

    async def use() -> None:
        calls = [asyncio.create_task(ask(project, f"user {n}")) for n in range(30)]
        while len(server.seen) < 30 or sum(call.done() for call in calls) < 20:
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        ended = await asyncio.gather(*calls, return_exceptions=True)
        assert ended.count("ok") == 10
        assert sum(isinstance(each, asyncio.CancelledError) for each in ended) == 10

    asyncio.run(use())
    assert server.left_alone.wait(5)


def test_a_session_that_is_refused_gives_back_what_it_took(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.config["models"]["tiny"]["provider"] = "keyed"
    files.config["providers"]["keyed"] = {
        "kind": "openai",
        "base_url": server.url,
        "api_key_env": "NO_SUCH_KEY",
    }
    files.config["routes"].append({"name": "other", "models": {"primary": "second"}})
    files.config["models"]["second"] = {"provider": "served"}
    files.write()
    project = Project.load(files.root)

    async def use() -> None:
        with pytest.raises(Refused, match="NO_SUCH_KEY"):
            await ask(project)
        async with project.session("other") as session:
            await session.complete(HELLO)

    asyncio.run(use())
    assert server.left_alone.wait(5)


def test_each_session_is_a_run_of_its_own_and_a_user_is_the_same_in_all(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.config["budgets"] = [
        {"scope": "run", "max_tokens": 60},
        {"scope": "user", "max_tokens": 70, "window": "month"},
    ]
    files.write()

    async def use() -> list[tuple[str, int]]:
        ended = []
        async with Project.load(files.root) as project:
            for user in ("ann", "ann", "bob"):
                async with project.session("ask", Identity(user=user)) as session:
                    try:
                        while True:
                            await session.complete(HELLO)
                    except BudgetExhausted as exhausted:
                        ended.append((exhausted.rule, session.tries))
        return ended

    # a call may take up to 41 tokens, and takes 3
    assert asyncio.run(use()) == [
        ("budgets.run.max_tokens", 7),
        ("budgets.user.max_tokens", 3),
        ("budgets.run.max_tokens", 7),
    ]


def test_loops_of_several_threads_use_one_project_at_the_same_time(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.write()
    project = Project.load(files.root)
    answers: list[str] = []

    async def use() -> None:
        async with project:
            answers.extend(await asyncio.gather(*(ask(project) for _ in range(10))))

    threads = [Thread(target=lambda: asyncio.run(use())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["ok"] * 40
    assert server.left_alone.wait(5)


def test_an_index_is_what_it_was_when_its_route_was_first_used(
    files: ProjectFiles, server: OpenAIServer
) -> None:
    files.config["indexes"] = {"kb": {"folder": "kb"}}
    files.route["retrieval"] = {"allow_indexes": ["kb"]}
    files.write()
    page = files.root / "kb" / "payouts.md"
    page.parent.mkdir()
    page.write_text("Payouts are late.")
    project = Project.load(files.root)

    async def read(project: Project) -> str:
        async with project.session("ask") as session:
            return (await session.retrieve("kb", "payouts"))[0].text

    assert asyncio.run(read(project)) == "Payouts are late."
    page.write_text("Payouts are on time.")
    assert asyncio.run(read(project)) == "Payouts are late."
    assert asyncio.run(read(Project.load(files.root))) == "Payouts are on time."
