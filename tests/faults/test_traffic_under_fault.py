"""Circuits, limits and regions against real servers, by what the servers counted."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit import ConfigError, Identity, Project
from evalkit.config.load import load_config
from evalkit.control.factory import ControlPlane
from evalkit.control.ledger.book import Ledger
from evalkit.control.limits import Limiter
from evalkit.errors import ProviderError, Refused
from evalkit.records.call import Message
from evalkit.workflows.wiring import SystemClock, Wiring
from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.servers.openai_server import OpenAIServer, SeenRequest

HELLO = [Message(role="user", content="hello")]
SPEED = 100.0


class FastClock(SystemClock):
    """A hundred times as fast as the machine's, and it can be put forward."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() * SPEED + self.ahead_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


class Served:
    """A control plane on one route over servers, with one wiring as in a run."""

    def __init__(self, config: str, route: str = "work") -> None:
        self.clock = FastClock()
        self.wiring = Wiring(Path(), clock=self.clock)
        self.config = load_config(config.encode()).config
        found = self.config.route(route)
        assert found is not None
        self.plane: ControlPlane = self.wiring.control_plane(
            self.config, found, suite="", ledger=Ledger(self.config.budgets), cache=None
        )

    async def ask(self) -> str:
        """The model that answered, or the code of the error."""
        session = self.plane.open_for({})
        try:
            return (await session.complete(HELLO)).model
        except ProviderError as error:
            return error.code

    async def ask_together(self, count: int) -> Counter[str]:
        return Counter(await asyncio.gather(*(self.ask() for _ in range(count))))

    @property
    def limiter(self) -> Limiter:
        (limiter,) = self.wiring.traffic._limiters.values()
        return limiter


def config_of(server: OpenAIServer, *, retries: int = 0, more: str = "", limits: str = "{}") -> str:
    return f"""\
providers:
  served: {{kind: openai, base_url: "{server.url}", limits: {limits}}}
models:
  one: {{provider: served}}
routes:
- name: work
  models: {{primary: one}}
  max_tokens: 20
run: {{retries: {retries}, timeout_s: 20.0}}
{more}
"""


BREAKER = "breaker: {min_calls: 25, cool_down_s: 1000, window_s: 80000}"


def test_25_straight_500s_open_the_circuit_and_the_server_is_left_alone(
    openai_server: OpenAIServer,
) -> None:
    openai_server.decide = lambda request: "status:500"

    async def story() -> list[str]:
        served = Served(config_of(openai_server, more=BREAKER))
        ended = [await served.ask() for _ in range(60)]
        await served.wiring.close()
        return ended

    assert asyncio.run(story()) == ["server_error"] * 25 + ["circuit_open"] * 35
    assert len(openai_server.seen) == 25


def test_after_the_cool_down_one_of_64_calls_probes_and_its_answer_closes_the_circuit(
    openai_server: OpenAIServer,
) -> None:
    openai_server.decide = lambda request: "status:503"

    async def story() -> list[Counter[str]]:
        served = Served(config_of(openai_server, more=BREAKER))
        await served.ask_together(25)
        served.clock.ahead_s += 2000
        failed = await served.ask_together(64)
        openai_server.decide = lambda request: "slow:0.2"
        served.clock.ahead_s += 2000
        probed = await served.ask_together(64)
        openai_server.decide = lambda request: None
        closed = await served.ask_together(64)
        await served.wiring.close()
        return [failed, probed, closed]

    assert asyncio.run(story()) == [
        {"server_error": 1, "circuit_open": 63},
        {"one": 1, "circuit_open": 63},
        {"one": 64},
    ]
    assert len(openai_server.seen) == 25 + 1 + 1 + 64


def test_a_probe_whose_task_dies_leaves_its_place_to_the_next_call(
    openai_server: OpenAIServer,
) -> None:
    openai_server.decide = lambda request: "reset"

    async def story() -> str:
        served = Served(config_of(openai_server, more=BREAKER))
        await served.ask_together(25)
        served.clock.ahead_s += 2000
        openai_server.decide = lambda request: "stall"
        probe = asyncio.ensure_future(served.ask())
        while len(openai_server.seen) < 26:
            await asyncio.sleep(0)
        assert await served.ask() == "circuit_open"
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        openai_server.decide = lambda request: None
        answered = await served.ask()
        await served.wiring.close()
        return answered

    assert asyncio.run(story()) == "one"


def test_a_storm_of_429s_shrinks_what_is_in_the_air_and_it_recovers(
    openai_server: OpenAIServer,
) -> None:
    room, books = 4, openai_server.books

    def crowded(request: SeenRequest) -> str:
        return "slow:0.05" if books.in_flight <= room else "rate_limit_bare"

    async def story() -> None:
        served = Served(config_of(openai_server, retries=20, limits="{max_concurrency: 24}"))
        openai_server.decide = crowded
        assert await served.ask_together(60) == {"one": 60}
        assert books.acts["rate_limit_bare"] > 0
        assert served.limiter.allowed <= 2 * room
        books.most_in_flight = 0
        assert await served.ask_together(40) == {"one": 40}
        assert books.most_in_flight <= 2 * room
        openai_server.decide = lambda request: "slow:0.02"
        grown = [served.limiter.allowed]
        while grown[-1] < 24:
            assert await served.ask_together(100) == {"one": 100}
            grown.append(served.limiter.allowed)
            # one by one, a round of answers each
            assert grown[-1] <= grown[-2] + 1 + 100 / grown[-2]
        assert served.limiter.in_flight == 0
        await served.wiring.close()

    asyncio.run(asyncio.wait_for(story(), 30))


def test_a_retry_after_is_kept_by_everybody(openai_server: OpenAIServer) -> None:
    arrived: list[float] = []
    clock = FastClock()

    def act(request: SeenRequest) -> str | None:
        arrived.append(clock.monotonic())
        return "rate_limit:30" if len(arrived) == 1 else None

    openai_server.decide = act

    async def story() -> None:
        served = Served(config_of(openai_server, retries=1))
        first = asyncio.ensure_future(served.ask())
        while not served.limiter.expected_wait_s(1):
            await asyncio.sleep(0)
        assert await served.ask_together(20) == {"one": 20}
        assert await first == "one"
        await served.wiring.close()

    asyncio.run(story())
    assert len(arrived) == 22
    assert min(arrived[1:]) - arrived[0] >= 29.9


class HeldClock(SystemClock):
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._moved = asyncio.Event()

    def monotonic(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            await self._moved.wait()

    async def forward(self, seconds: float) -> None:
        self.now_s += seconds
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()


@pytest.mark.parametrize("limits", ["{requests_per_minute: 30}", "{tokens_per_minute: 600}"])
def test_no_minute_of_the_server_sees_more_than_the_limit(
    openai_server: OpenAIServer, limits: str
) -> None:
    openai_server.answer = lambda request: "x" * 72

    async def story() -> list[int]:
        served = Served(config_of(openai_server, limits=limits))
        clock = HeldClock()
        served.limiter._clock = clock
        tasks = [asyncio.ensure_future(served.ask()) for _ in range(75)]
        seen = []
        for seconds in (0, 59.9, 0.1, 59.9, 0.1):
            await clock.forward(seconds)
            while served.limiter.in_flight or not await _rested(served.limiter):
                await asyncio.sleep(0)
            seen.append(len(openai_server.seen))
        await asyncio.gather(*tasks)
        await served.wiring.close()
        return seen

    seen = asyncio.run(asyncio.wait_for(story(), 30))
    assert seen[0] == seen[1] > 0
    assert seen[2] == seen[3] == 2 * seen[0]
    if "requests" in limits:
        assert seen == [30, 30, 60, 60, 75]
    else:
        used = openai_server.books.output_tokens + openai_server.books.input_tokens
        assert 500 < seen[0] * used / 75 <= 600


async def _rested(limiter: Limiter) -> bool:
    """Whether nobody is about to take a slot: some turns of the loop change nothing."""
    for _ in range(20):
        await asyncio.sleep(0)
        if limiter.in_flight:
            return False
    return True


@pytest.fixture
def elsewhere() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


def regions_of(eu: OpenAIServer, us: OpenAIServer, models: str) -> str:
    return f"""\
providers:
  us: {{kind: openai, base_url: "{us.url}", region: us}}
  eu: {{kind: openai, base_url: "{eu.url}", region: eu}}
models:
  nano: {{provider: us, tier: small}}
  haiku: {{provider: eu, tier: small}}
  spare: {{provider: eu, tier: mid}}
routes:
- name: work
  models: {models}
  regions: [eu]
  degrade: {{to: {{tier: small}}, on: [load], after_s: 0}}
run: {{retries: 0}}
"""


@pytest.mark.parametrize("act", ["status:500", "rate_limit:5", "reset", "error_in_200", None])
def test_a_restricted_route_never_reaches_the_other_region(
    openai_server: OpenAIServer, elsewhere: OpenAIServer, act: str | None
) -> None:
    openai_server.decide = lambda request: act

    async def story() -> Counter[str]:
        models = "{tier: small, fallback: {tier: mid}}"
        served = Served(regions_of(openai_server, elsewhere, models))
        ended = await served.ask_together(30)
        await served.wiring.close()
        return ended

    asyncio.run(story())
    assert openai_server.seen
    assert not elsewhere.seen


def test_a_model_of_another_region_is_refused_at_check_and_at_run(
    openai_server: OpenAIServer, elsewhere: OpenAIServer
) -> None:
    text = regions_of(openai_server, elsewhere, "{primary: haiku, fallback: nano}")
    with pytest.raises(ConfigError, match="in region us"):
        load_config(text.encode())
    config = load_config(text.replace("regions: [eu]", "regions: [eu, us]").encode()).config
    narrow = config.routes[0].model_copy(update={"regions": ["eu"]})
    wiring = Wiring(Path())
    with pytest.raises(Refused, match="in region us"):
        wiring.control_plane(config, narrow, suite="", ledger=Ledger([]), cache=None)


def bundle(project: ProjectFiles) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    (run,) = (project.root / ".evalkit/runs").iterdir()
    lines = (run / "attempts.jsonl").read_text().splitlines()
    return json.loads((run / "run.json").read_text()), [json.loads(line) for line in lines]


def with_fallback(served: ProjectFiles) -> None:
    served.config["models"]["other"] = dict(served.config["models"]["tiny"])
    served.route["models"] = {"primary": "tiny", "fallback": "other"}
    served.suite["fallback"] = "accept"
    served.config["breaker"] = {"min_calls": 10, "cool_down_s": 600}


def test_a_run_leaves_a_broken_model_alone_and_its_fallback_answers(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    with_fallback(served)
    openai_server.decide = lambda request: "status:500" if request.body["model"] == "tiny" else None
    served.write()
    done = evalkit("run", "--set", "suites.ask.target.prompt=ask@v2", cwd=served.root)
    assert done.returncode == 0, done.stderr + done.stdout
    broken = sum(seen.body["model"] == "tiny" for seen in openai_server.seen)
    # those that were in the air when the tenth failed are 16 at most
    assert 10 <= broken <= 10 + 16
    _, attempts = bundle(served)
    codes = Counter(hop["code"] for each in attempts for hop in each["fallbacks"])
    assert set(codes) <= {"server_error", "circuit_open"}
    assert codes["circuit_open"] > 150
    assert sum(codes.values()) == 200
    # what passed is not what was to be tested, and that stands above the verdict's table
    assert " ".join(done.stdout.split()).count("100 of 100 replies are of another model than") == 2
    assert "what was planned was not tested" in " ".join(done.stdout.split())


def test_a_drill_opens_the_circuit_as_a_real_outage_would(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    with_fallback(served)
    served.config["providers"]["spare"] = dict(served.config["providers"]["served"])
    served.config["models"]["other"]["provider"] = "spare"
    served.config["run"]["retries"] = 0
    served.write()
    project = Project.load(served.root)
    run = project.run(fault={"primary": "down"})
    assert run.exit_code == 3
    record, attempts = bundle(served)
    assert not record["gates"]
    codes = Counter(hop["code"] for each in attempts for hop in each["fallbacks"])
    assert set(codes) == {"connection", "circuit_open"}
    assert {seen.body["model"] for seen in openai_server.seen} == {"other"}

    # what was broken on purpose is whole for everybody else
    async def ask() -> str:
        async with project.session("ask", Identity(user="u1")) as session:
            return (await session.complete(HELLO)).model

    assert asyncio.run(ask()) == "tiny"


def test_sessions_of_a_project_share_circuits_and_find_their_route_by_its_work(
    served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.route.update({"task": "answering", "risk": "low"})
    served.config["breaker"] = {"min_calls": 5, "cool_down_s": 600}
    served.config["run"] = {"retries": 0}
    served.write()
    project = Project.load(served.root)
    openai_server.decide = lambda request: "status:500"

    async def ask() -> str:
        async with project.session(task="answering", risk="low") as session:
            try:
                return (await session.complete(HELLO)).model
            except ProviderError as error:
                return error.code

    ended = [asyncio.run(ask()) for _ in range(8)]
    assert ended == ["server_error"] * 5 + ["circuit_open"] * 3
    assert len(openai_server.seen) == 5
