"""Every fault of the table against no retry, retries, a circuit and a fallback, whole and streamed.

The server's bytes are real, over loopback; only waiting is not: the clocks are put forward instead.
One real run then meets all of them at once.
"""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from evalkit.control.providers.transport_errors import CONNECT_TIMEOUT_S
from evalkit.records.asset import Tool
from evalkit.records.call import Message
from evalkit.records.run import StoredRun
from evalkit.workflows.runs.running import run_suites
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring
from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.faults.fault_place import HELLO, KEY, TIMEOUT_S, Place, cell, run
from tests.faults.fault_table import FAULTS, GOES_ON, NO_WAY, OPENS, Outcome, table
from tests.servers.byte_acts import ACTS
from tests.servers.byte_server import TEXT, ByteServer

DOCS = Path(__file__).parents[2] / "docs/faults.md"


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """One server for the whole table."""
    authority, now = trustme.CA(), datetime.now(UTC)
    trusted = ssl.create_default_context(cafile=None)
    authority.configure_trust(trusted)
    doors = {
        "sound": authority.issue_cert("127.0.0.1"),
        "unknown": trustme.CA().issue_cert("127.0.0.1"),
        "elsewhere": authority.issue_cert("elsewhere.example"),
        "expired": authority.issue_cert(
            "127.0.0.1", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
        ),
    }
    secure = {}
    for name, certificate in doors.items():
        secure[name] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(secure[name])
    server = ByteServer(ACTS, secure=secure).start()
    yield Place(server, authority, trusted)
    server.stop()


USED_USD = 12e-6


async def meets_no_retry(place: Place, name: str, expected: Outcome, *, streamed: bool) -> None:
    async with cell(place, name, streamed=streamed) as made:
        became, text = await made.ask()
        assert became == ("one" if expected.code == "answered" else expected.code), text
        assert made.session.tries == 1
        if expected.charged == "used":
            assert made.session.billed_usd == pytest.approx(USED_USD)
        else:
            assert (made.session.billed_usd > USED_USD) == (expected.charged == "all")
            assert FAULTS[name].said in text
        assert bool(made.heard) == (streamed and (expected.began or expected.code == "answered"))


async def meets_retries(place: Place, name: str, expected: Outcome, *, streamed: bool) -> None:
    async with cell(place, name, streamed=streamed, retries=1) as made:
        became, text = await made.ask()
        again = expected.again and not expected.began
        assert became == ("one" if expected.code == "answered" else expected.code), text
        assert made.session.tries == 1 + again
        assert bool(made.clock.slept) == again
        if expected.charged == "all":
            assert made.session.billed_usd > (1 + again) * USED_USD


async def meets_a_circuit(place: Place, name: str, expected: Outcome, *, streamed: bool) -> None:
    rules = "breaker: {min_calls: 2, failure_rate: 1.0, cool_down_s: 86400}"
    async with cell(place, name, streamed=streamed, more=rules) as made:
        codes = [(await made.ask())[0] for _ in range(3)]
        once = "one" if expected.code == "answered" else expected.code
        assert codes == [once, once, "circuit_open" if expected.code in OPENS else once]


async def meets_a_fallback(place: Place, name: str, expected: Outcome, *, streamed: bool) -> None:
    async with cell(place, name, streamed=streamed, spare=True) as made:
        became, text = await made.ask()
        if expected.code == "answered":
            assert (became, made.hops) == ("one", [])
        elif expected.code in GOES_ON and not expected.began:
            assert (became, text, made.hops) == ("two", TEXT, [expected.code])
        else:
            assert became == expected.code


COLUMNS = (meets_no_retry, meets_retries, meets_a_circuit, meets_a_fallback)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_as_the_table_says(place: Place, name: str) -> None:
    fault = FAULTS[name]

    async def cells() -> None:
        ways = [(fault.in_streams, True)]
        ways += [(fault.plain, False)] if fault.plain is not None else []
        # a second try waits for the same look-up of the name, of which nobody is told again
        columns = (meets_no_retry, meets_a_fallback) if name == "dns_stalls" else COLUMNS
        for expected, streamed in ways:
            for meets in columns:
                await meets(place, name, expected, streamed=streamed)

    no_way = fault.in_streams == NO_WAY
    run(cells(), place, step_s=CONNECT_TIMEOUT_S + 1 if no_way else TIMEOUT_S + 1)


# What a run can meet, without those whose only news is that they take all of their time, and those
# whose answers are measured and wrong.
MET = {
    name: fault
    for name, fault in FAULTS.items()
    if fault.plain is not None and (name == "stall" or not fault.stalls)
}
MEASURED_WRONG = ("nul_character", "same_call_id")
CASES = 2


@pytest.fixture(scope="module")
def stored(place: Place, tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """A run of one suite a fault, each with a provider, a model and a route of its own."""
    project = ProjectFiles(tmp_path_factory.mktemp("table"), cases=CASES)
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
    names = [name for name in MET if name not in MEASURED_WRONG]
    project.config |= {
        "providers": {
            name: {"kind": "openai", "base_url": place.url(name), "api_key_env": "LLM_KEY"}
            for name in names
        },
        "models": {name: {"provider": name, "price": price} for name in names},
        "routes": [{"name": name, "models": {"primary": name}, "max_tokens": 20} for name in names],
        "suites": {
            name: {
                "golden": "ask@v1",
                "route": name,
                "target": {"prompt": "ask@v1"},
                "scorers": [{"exact": {}}],
                "gate": {"min_pass_rate": 0.1},
            }
            for name in names
        },
        "run": {"concurrency": 16, "timeout_s": 5.0, "retries": 0},
    }
    project.write()
    wiring = Wiring(project.root, transport=place.transport(), environ={"LLM_KEY": KEY})
    return run_suites(RunRequest(suites=tuple(names), no_baseline=True), wiring=wiring)


def test_a_run_of_errors_is_incomplete_and_each_suite_of_them_too(stored: StoredRun) -> None:
    record = stored.record
    assert (record.exit_code, record.state) == (4, "incomplete")
    assert record.verdict is not None
    outcomes = {suite.suite: suite.outcome for suite in record.verdict.suites}
    for name, outcome in outcomes.items():
        expected = MET[name].plain
        assert expected is not None
        assert (outcome == "incomplete") == (expected.code != "answered"), name
        assert outcome != "fail", name


def test_every_attempt_of_a_run_ends_as_the_table_says(stored: StoredRun) -> None:
    assert len(stored.attempts) == CASES * len(stored.record.suites)
    for attempt in stored.attempts:
        expected = MET[attempt.suite].plain
        assert expected is not None
        state = "answered" if expected.code == "answered" else "error"
        assert attempt.state == state, attempt.suite
        assert (attempt.failure_mode or "answered") == expected.code, attempt.suite
        assert attempt.tries == 1
        assert (attempt.billed_usd > 0) == (expected.charged != "nothing"), attempt.suite
        assert MET[attempt.suite].said in (attempt.error or ""), attempt.suite
    billed = sum(attempt.billed_usd for attempt in stored.attempts)
    assert stored.record.billed_usd == pytest.approx(billed)


def test_the_errors_of_a_run_are_one_group_a_provider_and_kind(stored: StoredRun) -> None:
    groups = {each.provider: each for each in stored.record.failures}
    assert len(groups) == len(stored.record.failures)
    for name, fault in MET.items():
        expected = fault.plain
        assert expected is not None
        if name in MEASURED_WRONG or expected.code == "answered":
            assert name not in groups
            continue
        found = groups[name]
        assert (found.code, found.status) == (expected.code, expected.status), name
        assert (found.failed, found.gave_up) == (CASES, CASES)


def test_nothing_that_a_run_leaves_behind_holds_the_key(stored: StoredRun) -> None:
    root = Path(stored.path).parents[1]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {"attempts.jsonl", "report.html", "cache.sqlite3"} <= {path.name for path in files}
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_replies_of_one_id_are_told_apart_and_who_answered_is_kept(stored: StoredRun) -> None:
    same = [each for each in stored.attempts if each.suite == "same_reply_id"]
    assert len({each.measurement_id for each in same}) == CASES
    others = {each.model_id for each in stored.attempts if each.suite == "another_model"}
    assert others == {"someone-else-9"}


def test_a_redirect_is_followed_nowhere(place: Place) -> None:
    async def ask() -> None:
        for name in ("moved_here", "moved_away", "moved_in_a_loop"):
            async with cell(place, name, streamed=False, retries=3) as made:
                await made.ask()

    before = place.server.seen.copy()
    run(ask(), place)
    asked = place.server.seen - before
    assert asked == {"moved_here": 1, "moved_away": 1, "moved_in_a_loop": 1}


def test_two_calls_of_one_id_are_two_calls_and_are_linked_apart(place: Place) -> None:
    async def ask() -> list[dict[str, Any]]:
        tools = [Tool(name="look", effect="read"), Tool(name="see", effect="read")]
        async with cell(place, "same_call_id", streamed=False) as made:
            reply = (await made.session.complete(HELLO, tools=tools)).reply
            for call in reply.tool_calls:
                made.session.authorize(call)
            results = [made.session.tool_result(call, call.name) for call in reply.tool_calls]
            said = Message(role="assistant", content="", tool_calls=reply.tool_calls)
            await made.session.complete([*HELLO, said, *results], tools=tools)
        sent: list[dict[str, Any]] = place.server.requests[-1].body["messages"]
        return sent

    _, said, first, second = run(ask(), place)
    ids = [call["id"] for call in said["tool_calls"]]
    assert len(set(ids)) == 2
    assert [(each["tool_call_id"], each["content"]) for each in (first, second)] == [
        (ids[0], "look"),
        (ids[1], "see"),
    ]


def test_a_burst_is_ridden_out_by_the_tries_that_are_left(place: Place) -> None:
    async def ask() -> tuple[str, int, int]:
        async with cell(place, "burst", streamed=False, retries=2) as made:
            return (await made.ask())[0], made.session.tries, len(made.clock.slept)

    assert run(ask(), place) == ("one", 3, 2)


@pytest.mark.parametrize(
    ("name", "least_s", "most_s"),
    [
        ("limited", 0, 0.5),
        ("limited_seconds", 7, 7),
        ("limited_until", 7, 9),
        ("limited_garbage", 0, 0.5),
        ("limited_huge", 60, 60),
        ("limited_negative", 0, 0.5),
    ],
)
def test_what_a_429_asks_for_is_waited_within_bounds(
    place: Place, name: str, least_s: float, most_s: float
) -> None:
    async def wait() -> list[float]:
        async with cell(place, name, streamed=False, retries=1) as made:
            await made.ask()
            return made.clock.slept

    waited = run(wait(), place)
    assert least_s <= waited[0] <= most_s


def test_the_page_about_faults_has_the_table() -> None:
    assert "\n".join(table()).strip() in DOCS.read_text(encoding="utf-8"), (
        "stale: put in what `python -m tests.faults.fault_table` prints"
    )


def over(project: ProjectFiles, url: str) -> ProjectFiles:
    """The project with its model at an address."""
    project.config["providers"] = {"served": {"kind": "openai", "base_url": url}}
    project.config["models"]["tiny"]["provider"] = "served"
    project.config["run"] = {"retries": 0}
    return project.write()


def test_authorities_and_proxies_are_those_of_the_environment(
    evalkit: Evalkit, place: Place, tmp_path: Path
) -> None:
    project = over(ProjectFiles(tmp_path / "a", cases=2), place.server.url("answers", door="sound"))
    place.authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    trusted = {"SSL_CERT_FILE": str(tmp_path / "authority.pem")}
    assert evalkit("run", "--json", cwd=project.root, environ=trusted).returncode == 3  # too few
    elsewhere = over(ProjectFiles(tmp_path / "b", cases=2), "http://llm.invalid/v1")
    closed = place.server.url("", door="closed").removesuffix("//v1")
    proxied = evalkit("run", cwd=elsewhere.root, environ={"HTTP_PROXY": closed, "NO_PROXY": ""})
    assert proxied.returncode == 4
    assert "the proxy could not be used" in " ".join(proxied.stdout.split())
