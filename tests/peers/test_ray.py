"""A run on a real Ray cluster: three nodes on this machine, each with a raylet of its own.

The cluster is started once. A control session is a process of its own, as a user's, and the server
that is asked keeps its own books.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import RIGHT, WRONG, ProjectFiles
from tests.faults.conftest import serve
from tests.servers.openai_server import OpenAIServer, SeenRequest, openai_server

__all__ = ["openai_server"]

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("default")]

_STORE_BYTES = 80 * 1024 * 1024
_CLIENT_PORT = 28_099
_PATIENCE_S = 120


class Nodes:
    """The cluster: a head and two more nodes, one processor each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster: Any = Cluster(
            initialize_head=True,
            head_node_args={
                "num_cpus": 1,
                "object_store_memory": _STORE_BYTES,
                "include_dashboard": False,
                "ray_client_server_port": _CLIENT_PORT,
                "min_worker_port": 0,
                "max_worker_port": 0,
            },
        )
        self._others = [self._start(), self._start()]
        self.address: str = self._cluster.address

    def _start(self) -> Any:
        return self._cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)

    def kill(self) -> None:
        """Kill the raylet of a node, and so the workers on it."""
        self._cluster.remove_node(self._others.pop(), allow_graceful=False)

    def restore(self) -> None:
        """Start nodes in the places of those that were killed."""
        while len(self._others) < 2:
            self._others.append(self._start())

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    """Three nodes; skips where Ray is missing, or fails by EVALKIT_REQUIRE_RAY."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S"] = str(_PATIENCE_S)  # a busy machine
    try:
        import ray.cluster_utils  # noqa: F401
    except ImportError as error:
        if os.environ.get("EVALKIT_REQUIRE_RAY"):
            raise
        pytest.skip(f"Ray is not installed: {error}")
    started = Nodes()
    yield started
    started.close()


@pytest.fixture
def nodes(cluster: Nodes) -> Nodes:
    """The cluster, with all its nodes."""
    cluster.restore()
    return cluster


@pytest.fixture
def served(tmp_path: Path, openai_server: OpenAIServer) -> ProjectFiles:
    """60 cases in two variants, answered in 20 ms."""
    openai_server.usd_per_mtok = (1.0, 1.0)
    openai_server.answer = lambda request: "no" if " 7 " in request.prompt else "yes"
    openai_server.decide = lambda request: "slow:0.02"
    project = serve(ProjectFiles(tmp_path / "project", cases=60), openai_server)
    project.suite["baseline"] = {"set": {"suites.ask.target.prompt": "ask@v2"}}
    project.suite["gate"] = {"max_drop_pp": 20}
    return project


def begin(
    root: Path, *arguments: str, address: str = "", json_: bool = True
) -> "subprocess.Popen[str]":
    """A run that goes on by itself, in a process group of its own as under a terminal."""
    more = ["--engine", "ray", "--engine-address", address] if address else []
    if json_:
        more.append("--json")
    return subprocess.Popen(
        [sys.executable, "-m", "evalkit", "run", *arguments, *more],
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def ended(run: "subprocess.Popen[str]", code: int) -> dict[str, Any]:
    """What run.json says of a run that has to end with that code."""
    out, err = run.communicate(timeout=_PATIENCE_S)
    assert run.returncode == code, err
    record: dict[str, Any] = json.loads(out)
    return record


def attempts(root: Path, run: str) -> list[dict[str, Any]]:
    lines = (root / ".evalkit/runs" / run / "attempts.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def results(root: Path, run: str) -> dict[Any, Any]:
    """What was measured, by place."""
    return {
        (each["variant"], each["case"], each["trial"]): (each["state"], each.get("output"))
        for each in attempts(root, run)
    }


def whole(root: Path, run: str) -> bool:
    """Whether each of the 120 places has exactly one result."""
    places = Counter((each["variant"], each["case"], each["trial"]) for each in attempts(root, run))
    return len(places) == 120 and set(places.values()) == {1}


def at_request(server: OpenAIServer, number: int, act: str | None) -> threading.Event:
    """Set when so many requests have come; every one gets the act."""
    reached = threading.Event()

    def decide(request: SeenRequest) -> str | None:
        if len(server.seen) >= number:
            reached.set()
        return act

    server.decide = decide
    return reached


def workers() -> list[int]:
    """Processes of workers on this machine."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if words.startswith(b"ray::RayActor"):
            found.append(int(folder.name))
    return found


def worked(process: int) -> int:
    """How long a process has used the processor, in ticks."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_a_run_through_ray_client_is_the_same(nodes: Nodes, served: ProjectFiles) -> None:
    root = served.write().root
    out = ""
    # now and then Ray's proxy fails to start the server of a client, which then waits for it
    for _ in range(4):
        run = begin(root, address=f"ray://127.0.0.1:{_CLIENT_PORT}")
        try:
            out, _ = run.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            run.kill()
            run.communicate()
        if run.returncode not in (4, -signal.SIGKILL):
            break
    assert run.returncode == 0, out
    assert whole(root, json.loads(out)["id"])


def test_the_verdict_and_every_result_are_those_of_one_machine(
    nodes: Nodes, tmp_path: Path
) -> None:
    kept = []
    for name, address in (("alone", ""), ("together", nodes.address)):
        project = ProjectFiles(
            tmp_path / name,
            cases=60,
            replies={
                "ask@v1": lambda number: WRONG if number % 4 == 0 else RIGHT,
                "ask@v2": lambda number: WRONG if number % 7 == 0 else RIGHT,
            },
        )
        project.suite["baseline"] = {"set": {"suites.ask.target.prompt": "ask@v2"}}
        root = project.write().root
        run = begin(root, address=address)
        out, _ = run.communicate(timeout=_PATIENCE_S)
        record = json.loads(out)
        kept.append((run.returncode, record["verdict"], results(root, record["id"])))
    assert kept[0] == kept[1]


@pytest.mark.parametrize("death", ["node", "process"])
def test_what_was_on_a_node_or_process_that_died_is_made_by_others(
    death: str, nodes: Nodes, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root
    reached = at_request(openai_server, 40, "slow:0.5")
    run = begin(root, "--no-cache", address=nodes.address)
    assert reached.wait(_PATIENCE_S)
    if death == "node":
        nodes.kill()
    else:
        os.kill(max(workers(), key=worked), signal.SIGKILL)  # another may not have begun yet

    record = ended(run, 0)

    assert whole(root, record["id"])
    asked = Counter(request.prompt for request in openai_server.seen)
    assert set(asked.values()) <= {1, 2}
    # the workers of a node end after its raylet, and may have had nothing under way by then
    least = 1 if death == "process" else 0
    assert least <= sum(number - 1 for number in asked.values()) <= 16


def test_a_control_session_that_was_killed_takes_its_workers_along_and_is_gone_on_with(
    nodes: Nodes, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    root = served.write().root
    reached = at_request(openai_server, 40, "slow:0.1")
    run = begin(root, "--no-cache", address=nodes.address)
    assert reached.wait(_PATIENCE_S)
    run.kill()
    run.communicate()
    (stopped,) = (path.name for path in (root / ".evalkit/runs").iterdir())

    ended(begin(root, "--resume", stopped, address=nodes.address), 0)

    assert whole(root, stopped)
    asked = Counter(request.prompt for request in openai_server.seen)
    assert sum(number - 1 for number in asked.values()) <= 16


def test_a_cap_holds_at_concurrency_64_on_the_servers_side_while_a_node_dies(
    nodes: Nodes, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["budgets"] = [{"scope": "run", "max_usd": 0.0015}]
    root = served.write().root
    reached = at_request(openai_server, 40, "slow:0.05")
    run = begin(root, "--no-cache", "--concurrency", "64", "--trials", "5", address=nodes.address)
    assert reached.wait(_PATIENCE_S)
    nodes.kill()

    record = ended(run, 4)

    assert openai_server.books.usd <= 0.0015
    assert openai_server.books.usd <= record["billed_usd"] + 1e-9
    assert openai_server.books.most_in_flight > 16


def test_a_limit_of_requests_is_one_for_all_workers_and_a_second_ctrl_c_stops_at_once(
    nodes: Nodes, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["providers"]["served"]["limits"] = {"requests_per_minute": 70}
    root = served.write().root
    reached = at_request(openai_server, 70, None)
    run = begin(root, "--no-cache", "--concurrency", "120", address=nodes.address, json_=False)
    assert run.stderr is not None and reached.wait(_PATIENCE_S)
    os.killpg(run.pid, signal.SIGINT)
    assert any("again to" in line for line in run.stderr)
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=_PATIENCE_S)

    assert run.returncode == 130
    assert len(openai_server.seen) == 70
    (stopped,) = (path.name for path in (root / ".evalkit/runs").iterdir())
    again = ended(begin(root, "--resume", stopped), 0)
    assert again["id"] == stopped and whole(root, stopped)


def test_ctrl_c_drains_a_cluster_of_this_machine_and_either_engine_goes_on(
    served: ProjectFiles, openai_server: OpenAIServer, cluster: Nodes
) -> None:
    served.config["run"]["engine"] = {"kind": "ray", "workers": 2}
    root = served.write().root
    reached = at_request(openai_server, 30, "slow:0.05")
    run = begin(root, "--no-cache")
    assert reached.wait(_PATIENCE_S)
    os.killpg(run.pid, signal.SIGINT)

    record = ended(run, 130)

    seen = len(openai_server.seen)
    assert seen < 120 and len(attempts(root, record["id"])) == seen
    again = ended(begin(root, "--resume", record["id"], address=cluster.address), 0)
    assert again["id"] == record["id"] and whole(root, record["id"])
    assert len(openai_server.seen) == 120


def test_a_worker_without_the_key_is_refused_by_name_and_the_key_is_nowhere(
    nodes: Nodes, served: ProjectFiles
) -> None:
    served.config["providers"]["served"]["api_key_env"] = "KEY_OF_THE_SESSION"
    root = served.write().root
    environ = os.environ | {"KEY_OF_THE_SESSION": "sk-0123456789abcdef"}
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "run", "--engine-address", nodes.address],
        cwd=root,
        env=environ,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
    )
    assert done.returncode == 2
    assert "$KEY_OF_THE_SESSION is not set there" in done.stderr
    assert "0123456789abcdef" not in done.stderr
