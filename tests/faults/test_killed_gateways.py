"""A gateway process that is killed under load, or stands still, beside others that go on.

Each task is a user of its own, so that the account of each says exactly which of its calls were
charged.
"""

import asyncio
import random
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evalkit.control.ledger.scopes import scope_pseudonym
from evalkit.records.ledger import Balance, KeyCaps
from evalkit.store.ledger import LEASE_S
from evalkit.store.traces import TraceStore
from tests.faults.gateway_load import (
    MAX_TOKENS,
    Answered,
    Fleet,
    Key,
    Process,
    Told,
    answered_by,
    ask_all,
    asked_of,
    bound_of,
    fleet,
    total,
)
from tests.faults.ledgers import ledger_of
from tests.servers.openai_server import SeenRequest

TEAM_TOKENS = 6_000
BUDGETS = f"""\
- {{scope: team, max_tokens: {TEAM_TOKENS}, window: month}}
- {{scope: user, max_tokens: 100000, window: month}}
"""
PLACES, USERS = 3, 36


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root: Path = tmp_path_factory.mktemp("gateways") / "project"
    with fleet(root, BUDGETS, processes=PLACES) as it:
        yield it


class Moment:
    """Kills a process at the n-th question that it sends on, or at its n-th answer to a client."""

    def __init__(
        self, victim: Process, users: Sequence[Key], *, question: int = 0, answer: int = 0
    ) -> None:
        self._victim = victim
        self._users = {each.name for each in users}
        self._left = {"question": question, "answer": answer}

    def asked(self, request: SeenRequest) -> str:
        if asked_of(request)[0] in self._users:
            self._count("question")
        return "slow:0.01"

    def heard(self, told: Told) -> None:
        if told.at == self._victim.url:
            self._count("answer")

    def _count(self, what: str) -> None:
        self._left[what] -= 1
        if self._left[what] == 0:
            self._victim.kill()


@pytest.mark.parametrize(("seed", "by"), [(1, "question"), (2, "question"), (3, "answer")])
def test_what_was_answered_is_in_the_ledger_and_holds_of_the_dead_are_charged_once_when_they_end(
    gateways: Fleet, seed: int, by: str
) -> None:
    chance = random.Random(seed)
    team = f"team-{seed}"
    users = [gateways.add_key(f"s{seed}u{number:02}", team=team) for number in range(USERS)]
    places = list(gateways.processes)
    victim = chance.choice(places)
    at = chance.randint(1, 40)
    moment = Moment(victim, users[places.index(victim) :: PLACES], **{by: at})
    gateways.upstream.decide = moment.asked
    # each begins at one process, and goes on at the next one where that dies
    work = [(key, places[at % PLACES :] + places[: at % PLACES]) for at, key in enumerate(users)]
    told = asyncio.run(ask_all(work, gateways.numbers, each=5, heard=moment.heard))
    assert victim.process.wait(20) == -signal.SIGKILL
    killed_at = time.time()
    assert {each.status for each in told} == {200, 0}
    assert {each.at for each in told if not each.status} == {victim.url}

    # another process starts in its place, and one more call does not fit: neither charges early
    gateways.forget(victim)
    gateways.start()
    poor = gateways.add_key("poor", team="poor", caps=KeyCaps(None, 10, "month"))
    (refused,) = asyncio.run(ask_all([(poor, gateways.processes)], gateways.numbers, each=1))
    assert (refused.status, refused.rule) == (429, "budgets.key.max_tokens")
    held = gateways.holds_of(victim.process.pid)
    assert held or by == "answer"
    _, bound = bound_of(gateways.root, users[0].name, 9999)

    # nothing that was answered is lost: it was charged, or its hold is there
    books = answered_by(gateways.upstream)
    charged = {}
    for key in users:
        mine = [each for each in books if each.key == key.name]
        holds = [each for each in held if _account(key) in each.accounts]
        assert all(MAX_TOKENS < each.tokens <= bound for each in holds)
        balance = _balance(gateways, key, "user")
        assert balance.held.tokens == sum(each.tokens for each in holds)
        cut = _last_at(victim.url, key, told, mine)
        assert balance.spent.tokens in {
            total(mine)[1] - total(cut[len(cut) - count :])[1]
            for count in range(min(len(holds), len(cut)) + 1)
        }
        charged[key] = balance.spent.tokens + balance.held.tokens
        # as much as was answered, whatever became of the process
        assert charged[key] >= total(mine)[1]

    # not before its lease has ended, by nobody
    ends = [each.expires_at for each in held] or [time.time()]
    assert all(killed_at < each < killed_at + LEASE_S for each in ends if held)
    _look(gateways, min(ends) - 0.01)
    assert gateways.holds() == held
    # then in full, and once, however many look at the same moment
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: _look(gateways, max(ends) + 0.01), range(4)))
    assert not gateways.holds()
    for key in users:
        balance = _balance(gateways, key, "user")
        assert (balance.spent.tokens, balance.held.tokens) == (charged[key], 0)

    # the others go on until the cap is full, by the upstream's books as well
    work = [(key, [gateways.processes[at % PLACES]]) for at, key in enumerate(users)]
    more = asyncio.run(ask_all(work, gateways.numbers, each=100, until_refused=True))
    refusals = {(each.status, each.rule) for each in more if each.status != 200}
    assert refusals == {(429, "budgets.team.max_tokens")}
    while gateways.holds():
        pass
    team_spent = _balance(gateways, users[0], "team").spent.tokens
    books = [each for each in answered_by(gateways.upstream) if each.key.startswith(f"s{seed}u")]
    assert TEAM_TOKENS - bound < team_spent <= TEAM_TOKENS
    assert total(books)[1] <= team_spent
    assert total(books)[1] == team_spent - (
        sum(charged.values()) - total(each for each in books if _is_of(each, told))[1]
    )

    # the traces of the others are all there; of the dead only the last ones can be missing
    traces = TraceStore(gateways.root)
    ids = {each.trace: each.at for each in [*told, *more] if each.status}
    others = {id_ for id_, at in ids.items() if at != victim.url}
    while not others <= traces.find_all(ids).keys():
        pass
    missing = ids.keys() - traces.find_all(ids).keys()
    assert len(missing) <= USERS // PLACES * 2
    assert traces.damaged == 0


def test_a_process_that_stands_still_past_its_lease_charges_nothing_twice(
    gateways: Fleet,
) -> None:
    ann = gateways.add_key("ann", team="still")
    still = gateways.processes[0]
    _, bound = bound_of(gateways.root, "ann", 100)

    def stop(request: SeenRequest) -> None:
        still.process.send_signal(signal.SIGSTOP)

    gateways.upstream.decide = stop
    with ThreadPoolExecutor(1) as pool:
        work = [(ann, [still])]
        first = pool.submit(lambda: asyncio.run(ask_all(work, iter([100]), each=1)))
        try:
            while not (held := gateways.holds()):
                pass
            _look(gateways, held[0].expires_at + 0.01)
            balance = _balance(gateways, ann, "user")
            assert (balance.spent.tokens, balance.held.tokens) == (bound, 0)
        finally:
            gateways.upstream.decide = lambda request: None
            still.process.send_signal(signal.SIGCONT)
        (told,) = first.result()
    assert told.status == 200
    (told,) = asyncio.run(ask_all(work, iter([101]), each=1))
    assert told.status == 200
    assert not gateways.holds_of(0)
    *_, last = answered_by(gateways.upstream)
    assert (last.key, last.number) == ("ann", 101)
    assert _balance(gateways, ann, "user").spent.tokens == bound + last.tokens


def _account(key: Key) -> str:
    return f"month user {scope_pseudonym('user', key.name)} "


def _balance(gateways: Fleet, key: Key, scope: str) -> Balance:
    standing = ledger_of(gateways.root).standing(key.scopes)
    return next(balance for budget, balance in standing if budget.scope == scope)


def _look(gateways: Fleet, at_s: float) -> None:
    """Open the ledger at that moment, as a process does that starts then."""
    ledger = ledger_of(gateways.root, at_s=at_s)
    ledger.standing()
    ledger.close()


def _last_at(url: str, key: Key, told: list[Told], books: list[Answered]) -> list[Answered]:
    """What the upstream answered a user by that process, in the order in which it was asked."""
    there = {each.number for each in told if each.key == key.name and each.at == url}
    return [each for each in books if each.number in there]


def _is_of(answered: Answered, told: list[Told]) -> bool:
    return any((each.key, each.number) == (answered.key, answered.number) for each in told)
