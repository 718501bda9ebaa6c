"""A run whose attempts are made by workers: equal to one in one process, whoever dies.

The workers are in this process and everything else is as on a cluster: they get bytes, give bytes,
and are killed. tests/peers/test_ray.py does the same on real clusters.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import EngineError, Refused, UsageError
from evalkit.records.attempt import Attempt
from evalkit.records.event import Event, RunNoted
from evalkit.records.run import StoredRun
from evalkit.store.runs import RunStore
from evalkit.workflows.runs.engines.choosing import EngineChoice
from evalkit.workflows.runs.running import resume_run, run_suites
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring
from tests.cli.agents import agent_project
from tests.cli.project import RIGHT, WRONG, ProjectFiles
from tests.cli.test_program_targets import application, http_project
from tests.faults.conftest import serve
from tests.faults.loopback_cluster import LoopbackCluster
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["application"]

UNCACHED = RunRequest(cache="off")


def run_on(
    cluster: LoopbackCluster | None,
    root: Path,
    request: RunRequest = UNCACHED,
    *,
    hear: Callable[[Event], None] | None = None,
    environ: dict[str, str] | None = None,
) -> StoredRun:
    choice = EngineChoice() if cluster is None else EngineChoice(kind="ray", cluster=cluster)
    return run_suites(
        request, wiring=Wiring(root, environ=environ or {}), on_event=hear, engine=choice
    )


def without_time(attempt: Attempt) -> dict[str, Any]:
    """An attempt without what two measurements always differ in."""
    plain: dict[str, Any] = msgspec.to_builtins(attempt)
    for key in ("at", "latency_s", "measurement_id", "measured_at", "spans", "steps"):
        plain.pop(key)
    plain["decisions"] = [each["rule"] for each in plain["decisions"]]
    return plain


def attempts_of(run: StoredRun, root: Path) -> dict[Any, dict[str, Any]]:
    stored = RunStore(root).open(run.record.id).attempts()
    return {each.place: without_time(each) for each in stored}


def copy_of(root: Path) -> Path:
    """Another project of the same content: a run would pool what earlier ones of it measured."""
    return Path(shutil.copytree(root, root.with_name("copy")))


def asked(server: OpenAIServer) -> Counter[str]:
    return Counter(request.prompt for request in server.seen)


@pytest.fixture
def served(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    """60 cases in two variants, of which the server answers some wrongly."""
    openai_server.answer = lambda request: "no" if " 7 " in request.prompt else "yes"
    project = serve(ProjectFiles(tmp_path / "project", cases=60), openai_server)
    project.suite["baseline"] = {"set": {"suites.ask.target.prompt": "ask@v2"}}
    project.suite["gate"] = {"max_drop_pp": 20}
    return project


def test_scripted_replies_give_the_same_attempts_and_verdict_on_workers(tmp_path: Path) -> None:
    project = ProjectFiles(
        tmp_path / "project",
        cases=60,
        replies={
            "ask@v1": lambda number: WRONG if number % 9 == 0 else RIGHT,
            "ask@v2": lambda number: WRONG if number % 7 == 0 else RIGHT,
        },
    )
    project.suite["baseline"] = {"set": {"suites.ask.target.prompt": "ask@v2"}}
    project.write()

    copy = copy_of(project.root)
    alone, together = run_on(None, project.root), run_on(LoopbackCluster(3), copy)

    assert attempts_of(together, copy) == attempts_of(alone, project.root)
    assert together.record.verdict == alone.record.verdict
    assert together.record.exit_code == alone.record.exit_code


def test_live_replies_give_the_same_attempts_and_verdict_on_workers(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root

    copy = copy_of(root)
    alone, together = run_on(None, root), run_on(LoopbackCluster(), copy)

    assert attempts_of(together, copy) == attempts_of(alone, root)
    assert together.record.verdict == alone.record.verdict
    assert together.record.billed_usd == pytest.approx(alone.record.billed_usd)
    assert openai_server.books.requests == 240


def test_spans_and_retries_come_back_from_workers(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root
    openai_server.script("status:500", "status:500")
    heard: list[Event] = []

    run = run_on(LoopbackCluster(), root, hear=heard.append)

    assert sum(type(each).__name__ == "AttemptRetried" for each in heard) == 2
    assert sum(each.failed for each in run.record.failures) == 2
    assert len(list(RunStore(root).open(run.record.id).traces())) == 120


def test_what_a_dead_worker_had_under_way_is_made_by_others_and_the_rest_is_not(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root
    cluster = LoopbackCluster()
    heard: list[Event] = []

    def decide(request: SeenRequest) -> str | None:
        if openai_server.books.requests == 50:
            cluster.kill(0)
        return None

    openai_server.decide = decide
    run = run_on(cluster, root, hear=heard.append)

    assert run.record.exit_code == 0 and run.record.state == "complete"
    assert len(attempts_of(run, root)) == 120
    times = Counter(asked(openai_server).values())
    assert set(times) <= {1, 2} and times[2] <= 16
    notes = [each.message for each in heard if isinstance(each, RunNoted)]
    assert any("node node-0" in note and "made by others" in note for note in notes)
    assert len(cluster.posts) == 3  # and one came for it


def test_a_cap_holds_on_the_side_of_the_server_while_workers_die(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    openai_server.usd_per_mtok = (1.0, 1.0)
    openai_server.answer = lambda request: "yes"
    project = serve(ProjectFiles(tmp_path / "project", cases=200), openai_server)
    project.config["run"]["concurrency"] = 64
    project.config["budgets"] = [{"scope": "run", "max_usd": 0.002}]
    root = project.write().root
    cluster = LoopbackCluster(4)

    def decide(request: SeenRequest) -> str | None:
        if openai_server.books.requests in (40, 80):
            cluster.kill(openai_server.books.requests // 40 - 1)
        return None

    openai_server.decide = decide
    run = run_on(cluster, root)

    assert run.record.exit_code == 4
    assert 0 < openai_server.books.usd <= 0.002
    assert openai_server.books.usd <= run.record.billed_usd + 1e-9 <= 0.002 + 2e-9


def test_limits_of_concurrency_are_one_for_all_workers(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["providers"]["served"]["limits"] = {"max_concurrency": 3}
    openai_server.decide = lambda request: "slow:0.01"

    run_on(LoopbackCluster(4), served.write().root)

    assert openai_server.books.most_in_flight <= 3


def test_replies_of_workers_are_kept_in_the_one_cache(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root
    run_on(LoopbackCluster(), root, RunRequest())

    again = run_on(LoopbackCluster(), root, RunRequest())

    assert openai_server.books.requests == 120
    assert {each["origin"] for each in attempts_of(again, root).values()} == {"cache"}


def test_an_attempt_that_kills_every_worker_ends_the_run_and_it_can_be_resumed(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["run"]["concurrency"] = 1
    root = served.write().root
    cluster = LoopbackCluster(1)

    def decide(request: SeenRequest) -> str | None:
        if "Is 5 less" in request.prompt:
            cluster.kill(len(cluster.posts) - 1)
            return "stall"
        return None

    openai_server.decide = decide
    with pytest.raises(EngineError, match="3 workers died while they made it") as caught:
        run_on(cluster, root)
    assert caught.value.exit_code == 4 and cluster.closed

    openai_server.decide = lambda request: None
    before = openai_server.books.requests
    (bundle,) = RunStore(root).list()
    made = len(list(bundle.attempts()))
    resumed = resume_run(bundle.id, wiring=lambda _: Wiring(root, environ={}), root=root)

    assert resumed.record.exit_code == 0
    assert openai_server.books.requests - before == 120 - made


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"version": "0.0.0"}, "evalkit is 0.0.0 there"),
        ({"source": "another"}, "the source of evalkit is another there"),
        ({"python": "3.99"}, "Python is 3.99 there"),
    ],
)
def test_a_worker_with_other_code_is_refused_by_name(
    served: ProjectFiles, openai_server: OpenAIServer, other: dict[str, str], named: str
) -> None:
    with pytest.raises(Refused, match=f"node-0, process 0 cannot make this run: {named}"):
        run_on(LoopbackCluster(other=other), served.write().root)
    assert openai_server.books.requests == 0


def test_a_worker_whose_assets_differ_is_refused(served: ProjectFiles) -> None:
    with pytest.raises(Refused, match="did not arrive whole"):
        run_on(LoopbackCluster(noise=b"x"), served.write().root)


def test_keys_are_looked_for_where_the_worker_is_and_are_not_in_the_parcel(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.api_key = "sk-there-0123456789abcdef"
    served.config["providers"]["served"]["api_key_env"] = "SERVED_KEY"
    root = served.write().root
    mine = {"SERVED_KEY": "sk-here-0123456789abcdef"}

    with pytest.raises(Refused, match=r"\$SERVED_KEY is not set there"):
        run_on(LoopbackCluster(), root, environ=mine)

    cluster = LoopbackCluster(environ={"SERVED_KEY": openai_server.api_key})
    assert run_on(cluster, root, environ=mine).record.exit_code == 0
    assert all(b"0123456789abcdef" not in parcel for parcel in cluster.parcels)


def test_an_application_over_http_is_asked_by_workers_with_their_own_secret_header(
    tmp_path: Path, application: Any
) -> None:
    target = {"Authorization": "APP_TOKEN"}
    project = http_project(tmp_path / "project", application.url, headers_env=target)
    cluster = LoopbackCluster(environ={"APP_TOKEN": "Bearer of-the-worker"})

    run = run_on(cluster, project.root, environ={"APP_TOKEN": "Bearer of-the-session"})

    assert run.record.exit_code == 0
    assert {header for _, header in application.seen} == {"Bearer of-the-worker"}
    assert all(b"of-the-session" not in parcel for parcel in cluster.parcels)


def test_what_needs_the_projects_folder_is_refused_by_name(tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=3)
    project.suite["target"] = {"command": ["cat"]}
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.suite.pop("baseline")
    project.write()

    with pytest.raises(Refused, match="suite ask tests a command"):
        run_on(LoopbackCluster(), project.root, RunRequest(no_baseline=True))


def test_an_address_without_an_engine_for_it_is_a_usage_error() -> None:
    from evalkit.config.engines import Engine

    with pytest.raises(UsageError, match="give --engine ray"):
        EngineChoice(kind="asyncio", address="auto").over(Engine())
    assert EngineChoice(address="auto").over(Engine()).kind == "ray"
    assert EngineChoice(kind="asyncio").over(Engine(kind="ray", workers=3)) == Engine()
    assert EngineChoice(kind="ray").over(Engine(kind="ray", workers=3)).workers == 3


def test_an_answer_within_an_attempt_that_a_dead_worker_had_is_not_asked_for_again(
    tmp_path: Path, openai_server: OpenAIServer
) -> None:
    """The first of an agent's two calls is answered when its worker dies, with --no-cache."""
    openai_server.usd_per_mtok = (1.0, 1.0)
    openai_server.answer = lambda request: "yes"
    project = serve(agent_project(tmp_path / "project", cases=20), openai_server)
    project.config["run"]["concurrency"] = 1
    project.suite["gate"] = {"min_pass_rate": 0.5}
    root = project.write().root
    cluster = LoopbackCluster(1)

    def decide(request: SeenRequest) -> str | None:
        if len(openai_server.seen) == 2:  # the second call of the first attempt
            cluster.kill(0)
            return "stall"
        has_result = any(message["role"] == "tool" for message in request.body["messages"])
        return None if has_result else 'tool_call:get_order {"id": "A-1"}'

    openai_server.decide = decide
    run = run_on(cluster, root, RunRequest(cache="off", no_baseline=True))

    assert run.record.exit_code == 0
    assert len(openai_server.seen) == 2 * 20 + 1  # the one in flight, and no other
    assert run.record.billed_usd >= openai_server.books.usd  # the lost one in full
    assert not (RunStore(root).open(run.record.id).path / "calls.jsonl").exists()
