"""What a killed process was answered is not asked again, and what it had in flight is charged."""

import asyncio
import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import ProviderError, StoreError
from evalkit.records.call import Message, Request
from evalkit.records.call_log import CallsLeft
from evalkit.store.calls import Journalled, RunCalls, unfinished_spent
from tests.unit.control.fakes import (
    PRICE,
    DictCache,
    FakeProvider,
    World,
    ask,
    error_of,
    reply_of,
    route_with,
)

WORK = '["s","candidate","c1",1]'
ANSWER_USD = 100 * PRICE.input_usd_per_mtok / 1e6 + 20 * PRICE.output_usd_per_mtok / 1e6


class Killed(BaseException):
    """The process ends here, whatever is in flight."""


async def killed(request: Request) -> Any:
    raise Killed


class Run:
    """One run's folder, and the processes that work on it one after the other."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "calls.jsonl"
        self.journalled: Counter[str] = Counter()
        self.done: set[str] = set()
        self.left = CallsLeft()

    def process(self, *outcomes: Any, **world: Any) -> World:
        """A process that goes on; its first model gives these outcomes."""
        calls = RunCalls()
        self.left = calls.open(self.path, self._told)
        one = FakeProvider(*outcomes, name="first")
        return World(one=one, calls=calls, **world)

    def cut_ends(self, count: int = 1) -> None:
        """Take the last lines away, as if the process had been killed before it wrote them."""
        lines = self.path.read_bytes().splitlines(keepends=True)
        self.path.write_bytes(b"".join(lines[:-count]))

    def spent_usd(self) -> float:
        """What no attempt counts yet."""
        return unfinished_spent(self.path, self._told)[0]

    def _told(self) -> Journalled:
        told = Journalled()
        for work, rounds in self.journalled.items():
            for _ in range(rounds):
                told.add(work, done=work in self.done)
        return told


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_an_answer_of_a_killed_process_stands_for_the_same_request(run: Run) -> None:
    first = run.process(reply_of("said once")).open(work=WORK)
    assert ask(first, "a turn").content == "said once"
    world = run.process(reply_of("said again"))
    again = world.open(work=WORK)
    completion = ask(again, "a turn")
    assert (completion.content, completion.reply.origin) == ("said once", "live")
    assert world.one.requests == []
    assert (again.tries, again.billed_usd) == (1, pytest.approx(ANSWER_USD))
    assert world.ledger.spent_usd == 0  # it was charged when it was made
    assert (run.left.answered, run.left.lost) == (1, 0)
    assert [each.rule for each in again.decisions if each.outcome == "answered"] == ["journal"]


@pytest.mark.parametrize(
    "other",
    [
        {"text": "another turn"},
        {"text": "a turn", "trial": 2},
        {"text": "a turn", "params": {"temperature": 0.5}},
    ],
)
def test_an_answer_stands_for_no_other_request(run: Run, other: dict[str, Any]) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK), "a turn")
    session = run.process(reply_of("new")).open(work=WORK)
    given = dict(other)
    assert ask(session, given.pop("text"), **given).content == "new"
    # what was paid for and not used is counted all the same
    assert session.billed_usd == pytest.approx(2 * ANSWER_USD)


def test_an_answer_stands_for_no_other_attempt(run: Run) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK), "a turn")
    baseline = run.process(reply_of("new")).open(work='["s","baseline","c1",1]')
    assert ask(baseline, "a turn").content == "new"


def test_an_answer_stands_for_one_call(run: Run) -> None:
    session = run.process(reply_of("one"), reply_of("two")).open(work=WORK)
    assert [ask(session, "again").content for _ in range(2)] == ["one", "two"]
    session = run.process(reply_of("three")).open(work=WORK)
    assert [ask(session, "again").content for _ in range(3)] == ["one", "two", "three"]


def test_the_answers_come_before_the_cache(run: Run) -> None:
    cache = DictCache()
    ask(run.process(reply_of("said once"), cache=cache).open(work=WORK))
    session = run.process(reply_of("new"), cache=cache).open(work=WORK)
    assert ask(session).reply.origin == "live"  # this run has measured it
    assert session.billed_usd == pytest.approx(ANSWER_USD)


def test_a_call_in_flight_is_charged_at_its_upper_bound_and_asked_again(run: Run) -> None:
    world = run.process(killed)
    session = world.open(work=WORK)
    bound = session.prepare([Message(role="user", content="hello")]).max_cost_usd
    with pytest.raises(Killed):
        ask(session)
    run.cut_ends()
    assert run.spent_usd() == bound
    world = run.process(reply_of("now"))
    assert run.left == CallsLeft(lost=1, lost_usd=bound or 0.0, answered=0)
    session = world.open(work=WORK)
    assert ask(session).content == "now"
    assert session.billed_usd == pytest.approx((bound or 0.0) + ANSWER_USD)
    run.process()
    assert run.left.lost == 0  # it was told once


def test_what_was_journalled_is_counted_there(run: Run) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK))
    run.journalled[WORK] += 1
    assert run.spent_usd() == 0
    world = run.process(reply_of("new"))
    session = world.open(work=WORK)
    # the attempt ended in an error after this answer, and paid for it
    assert ask(session).content == "said once"
    assert (session.billed_usd, run.left.answered) == (0, 0)


def test_nothing_is_kept_of_what_is_done(run: Run) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK))
    run.journalled[WORK] += 1
    run.done.add(WORK)
    world = run.process(reply_of("new"))
    assert run.left == CallsLeft()
    assert ask(world.open(work=WORK)).content == "new"


def test_a_model_that_was_given_up_is_not_asked_again_for_the_answer_of_another(run: Run) -> None:
    down = error_of("server_error", retryable=True)
    world = run.process(down, two=FakeProvider(reply_of("the other"), name="second"))
    told = ask(world.open(work=WORK)).fallbacks
    world = run.process(reply_of("back"), two=FakeProvider(reply_of("paid twice"), name="second"))
    completion = ask(world.open(work=WORK))
    assert (completion.content, completion.model) == ("the other", "two")
    assert completion.fallbacks == told
    assert world.one.requests == world.two.requests == []


def test_a_model_that_failed_last_is_asked_again(run: Run) -> None:
    route = route_with(models={"primary": "one"})
    with pytest.raises(ProviderError):
        ask(run.process(error_of("server_error"), route=route).open(work=WORK))
    assert ask(run.process(reply_of("back"), route=route).open(work=WORK)).content == "back"


def test_the_fallback_goes_on_where_it_was_in_flight(run: Run) -> None:
    world = run.process(error_of("server_error"), two=FakeProvider(killed, name="second"))
    with pytest.raises(Killed):
        ask(world.open(work=WORK))
    run.cut_ends()
    world = run.process(reply_of("back"), two=FakeProvider(reply_of("second"), name="second"))
    assert ask(world.open(work=WORK)).content == "second"
    assert world.one.requests == []


def test_what_is_written_down_is_redacted_and_private(run: Run) -> None:
    route = route_with(policies={"pii_redaction": True})
    world = run.process(reply_of("Write to jane.doe@example.com"), route=route)
    ask(world.open(work=WORK), "my mail is john.roe@example.com")
    with pytest.raises(ProviderError):
        two = FakeProvider(error_of("bad_request"), name="second")
        leaky = ProviderError("server_error", "no jane.doe@example.com here")
        ask(run.process(leaky, two=two, route=route).open(work=WORK), "another")
    text = run.path.read_text()
    assert "jane.doe" not in text and "john.roe" not in text
    assert stat.S_IMODE(run.path.stat().st_mode) == 0o600


def test_a_torn_last_line_is_a_call_that_was_in_flight(run: Run) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK))
    os.truncate(run.path, run.path.stat().st_size - 20)
    world = run.process(reply_of("asked again"))
    assert run.left.lost == 1
    assert ask(world.open(work=WORK)).content == "asked again"
    run.process()  # and reads what was appended after it


def test_a_damaged_line_is_told_by_its_number(run: Run) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK))
    run.path.write_bytes(b"{}\n" + run.path.read_bytes())
    with pytest.raises(StoreError, match=r"calls.jsonl:1: not a line that evalkit wrote"):
        run.process()


@pytest.mark.parametrize("amount", ["usd", "tokens"])
def test_no_call_of_an_earlier_process_gives_anything_back(run: Run, amount: str) -> None:
    ask(run.process(reply_of("said once")).open(work=WORK))
    lines = [json.loads(line) for line in run.path.read_text().splitlines()]
    run.path.write_text("".join(json.dumps(line | {amount: -40}) + "\n" for line in lines))
    with pytest.raises(StoreError, match=r"calls.jsonl:1: not a line that evalkit wrote"):
        run.process()


def test_no_call_leaves_that_cannot_be_written_down(tmp_path: Path) -> None:
    calls = RunCalls()
    calls.open(tmp_path / "gone" / "calls.jsonl", Journalled)
    world = World(calls=calls)
    with pytest.raises(StoreError, match="cannot open"):
        ask(world.open(work=WORK))
    assert world.one.requests == []
    assert (world.ledger.spent_usd, world.ledger.held_usd) == (0, 0)


def test_a_call_that_is_cut_off_is_written_down_as_ended(run: Run) -> None:
    async def hang(request: Request) -> Any:
        await asyncio.Event().wait()

    world = run.process(hang)

    async def cut() -> None:
        session = world.open(work=WORK)
        task = asyncio.ensure_future(session.complete([Message(role="user", content="hello")]))
        while not world.one.requests:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(cut())
    assert run.spent_usd() == pytest.approx(world.ledger.spent_usd)
    run.process()
    assert run.left.lost == 0


def test_sessions_outside_of_a_run_write_nothing(run: Run) -> None:
    ask(run.process().open())
    assert not run.path.exists()


def test_nothing_is_left_of_a_run_that_is_whole(run: Run) -> None:
    world = run.process()
    ask(world.open(work=WORK))
    assert isinstance(world.calls, RunCalls)
    lines = run.path.read_bytes().splitlines()
    assert [msgspec.json.decode(line)["type"] for line in lines] == ["asked", "ended"]
    world.calls.remove()
    assert not run.path.exists()


def test_calls_are_counted_once_their_work_is_journalled(tmp_path: Path) -> None:
    calls = RunCalls()
    calls.open(tmp_path / "calls.jsonl", Journalled)
    assert calls.all_counted
    for work in ("an attempt", "an opinion"):
        made = calls.of(work)
        assert made is not None
        made.ended(made.asked("key", usd=1.0, tokens=10), usd=0.5, tokens=5)
        assert not calls.all_counted
    calls.counted("an attempt")
    assert not calls.all_counted
    calls.finished("an opinion")
    assert calls.all_counted
    calls.close()
    later = RunCalls()
    later.open(tmp_path / "calls.jsonl", Journalled)
    assert not later.all_counted  # what the earlier process left is in the file alone
    later.close()
