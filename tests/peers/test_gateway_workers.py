"""`evalkit serve --workers`: several processes behind one port. About 8 s of CPU."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from evalkit.store.gateway_keys import GatewayKeys
from tests.cli.conftest import Evalkit, evalkit
from tests.peers.gateway import USAGE, Gateway, Upstream, gateway, upstream

__all__ = ["evalkit"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="--workers is for Linux")
MORE = "budgets: [{scope: team, max_tokens: 100000, window: month}]\n"
HELLO = [{"role": "user", "content": "hello"}]
TWO = ("--workers", "2")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Gateway]]:
    root: Path = tmp_path_factory.mktemp("gateway")
    with upstream() as up, gateway(root, up.url, MORE, *TWO) as door:
        yield up, door


@pytest.fixture
def door(served: tuple[Upstream, Gateway]) -> Gateway:
    return served[1]


def ask_once(door: Gateway, **headers: str) -> httpx.Response:
    """On a connection of its own, which any of the workers may take."""
    return httpx.post(
        f"{door.url}/chat/completions",
        json={"model": "plain", "messages": HELLO},
        headers={"authorization": f"Bearer {door.key}"} | headers,
        timeout=60,
    )


def figures(door: Gateway) -> list[tuple[str, dict[str, str], float]]:
    key, _ = GatewayKeys(door.root, now=lambda: datetime.now(UTC)).add(purpose="metrics")
    told = httpx.get(
        f"{door.url.removesuffix('/v1')}/metrics", headers={"authorization": f"Bearer {key}"}
    )
    assert told.status_code == 200, told.text
    return [
        (sample.name, sample.labels, sample.value)
        for family in text_string_to_metric_families(told.text)
        for sample in family.samples
    ]


def by_worker(door: Gateway, name: str) -> Counter[str]:
    """A figure of each worker, over all its other labels."""
    counted: Counter[str] = Counter()
    for each, labels, value in figures(door):
        if each == name:
            counted[labels["worker"]] += value  # type: ignore[assignment]
    return counted


def workers_of(process: Any) -> list[int]:
    """The process ids of the workers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def until(holds: Callable[[], bool]) -> None:
    """Wait for what is about to happen; a test has a time limit of its own."""
    while not holds():
        pass


def test_figures_are_those_of_all_workers_whichever_is_asked(door: Gateway) -> None:
    before = by_worker(door, "evalkit_tokens_total").total()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask_once(door), range(64)))
    assert {each.status_code for each in answers} == {200}
    assert len({each.headers["x-evalkit-trace"] for each in answers}) == 64
    for _ in range(8):
        tokens = by_worker(door, "evalkit_tokens_total")
        assert tokens.total() - before == 64 * USAGE["total_tokens"]
        assert by_worker(door, "evalkit_worker_up") == {"0": 1, "1": 1}
    assert set(tokens) == {"0", "1"}, "both of them served"
    ((labels, left),) = [
        (labels, value)
        for name, labels, value in figures(door)
        if name == "evalkit_budget_left_tokens"
    ]
    assert "worker" not in labels, "the budget is one for both"
    assert left == 100_000 - tokens.total()


def test_a_session_that_a_client_names_is_refused_for_it_could_live_in_either(
    door: Gateway,
) -> None:
    for _ in range(4):
        refused = ask_once(door, **{"x-evalkit-session": "s-1"})
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "sessions_need_one_process"
        assert refused.headers["x-should-retry"] == "false"


def test_all_workers_read_the_project_again(door: Gateway) -> None:
    config = door.root / "evalkit.yaml"
    config.write_text(config.read_text().replace("name: cited", "name: other"))
    door.process.send_signal(signal.SIGHUP)
    until(lambda: sum("reloaded: 3 routes" in line for line in door.told) == 2)
    for _ in range(8):
        told = httpx.get(f"{door.url}/models", headers={"authorization": f"Bearer {door.key}"})
        assert "other" in [each["id"] for each in told.json()["data"]]


def test_a_worker_that_dies_is_told_and_replaced_and_the_other_goes_on(door: Gateway) -> None:
    first, second = workers_of(door.process)
    os.kill(first, signal.SIGKILL)
    until(lambda: any(f"(process {first}) has ended with signal 9" in line for line in door.told))
    assert {ask_once(door).status_code for _ in range(4)} == {200}
    until(lambda: len(workers_of(door.process)) == 2 and first not in workers_of(door.process))
    assert second in workers_of(door.process)
    until(lambda: any("leave no trace" in line for line in door.told))
    until(lambda: by_worker(door, "evalkit_worker_up") == {"0": 1, "1": 1})
    assert door.process.poll() is None


def test_what_is_under_way_may_end_when_it_is_told_to_stop(tmp_path: Path) -> None:
    with (
        upstream(hold=threading.Event()) as up,
        gateway(tmp_path, up.url, "", *TWO) as door,
        httpx.stream(
            "POST",
            f"{door.url}/chat/completions",
            json={"model": "plain", "messages": HELLO, "stream": True},
            headers={"authorization": f"Bearer {door.key}"},
            timeout=60,
        ) as stream,
    ):
        parts = stream.iter_text()
        next(parts)
        door.process.send_signal(signal.SIGTERM)
        until(lambda: any("1 under way may take" in line for line in door.told))
        assert up.hold is not None
        up.hold.set()
        assert "data: [DONE]" in "".join(parts)
        assert door.process.wait(30) == 0


def test_what_is_cut_off_is_told_by_130_and_workers_do_not_outlive_their_parent(
    tmp_path: Path,
) -> None:
    body = {"model": "plain", "messages": HELLO, "stream": True}
    for how, code in ((signal.SIGTERM, 130), (signal.SIGKILL, -signal.SIGKILL)):
        with (
            upstream(hold=threading.Event()) as up,
            gateway(tmp_path / how.name, up.url, "gateway: {drain_s: 0.1}", *TWO) as door,
            httpx.stream(
                "POST",
                f"{door.url}/chat/completions",
                json=body,
                headers={"authorization": f"Bearer {door.key}"},
                timeout=60,
            ) as stream,
        ):
            parts = stream.iter_text()  # which leaves the gateway alone once nobody has it
            next(parts)
            workers = workers_of(door.process)
            door.process.send_signal(how)
            assert door.process.wait(30) == code
            assert up.broken.wait(20)
            until(lambda pids=workers: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_what_cannot_be_served_is_refused_before_a_worker_is_there(
    tmp_path: Path, evalkit: Evalkit
) -> None:
    (tmp_path / "evalkit.yaml").write_text("version: 1\nroutes: 7\n")
    said = evalkit("serve", *TWO)
    assert said.returncode == 2
    assert "routes" in said.stderr
