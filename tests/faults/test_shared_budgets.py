"""Several processes and one ledger: the server's own books never pass a cap, whoever dies."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import BudgetExhausted, StoreError
from evalkit.store.bundle import Bundle
from evalkit.store.ledger import LEASE_S
from tests.cli.project import ProjectFiles
from tests.faults.budget_child import ANN, RUN
from tests.faults.budget_child import __file__ as CHILD
from tests.faults.conftest import Evalkit, served
from tests.faults.ledgers import ledger_of
from tests.servers.openai_server import OpenAIServer, SeenRequest, tokens

__all__ = ["served"]

Child = subprocess.Popen[str]
Start = Callable[..., Child]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts children that wait for a line, and lets none of them outlive the test."""
    children: list[Child] = []

    def begin(act: str, root: Path, number: int = 0) -> Child:
        child = subprocess.Popen(
            [sys.executable, CHILD, act, str(root), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield begin
    for child in children:
        child.kill()
        child.communicate()


def wait_until_ready(child: Child) -> None:
    assert child.stdout is not None and child.stderr is not None
    line = child.stdout.readline()
    assert line == "ready\n", line + child.stderr.read()


def told(children: list[Child]) -> list[Any]:
    """Let them go together; what they print in the end."""
    for child in children:
        wait_until_ready(child)
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    found = []
    for child in children:
        out, err = child.communicate(timeout=60)
        assert child.returncode == 0, err
        found.append(json.loads(out))
    return found


def test_four_processes_at_concurrency_64_stay_under_every_cap_by_the_servers_books(
    served: ProjectFiles, openai_server: OpenAIServer, start: Start
) -> None:
    def answer(request: SeenRequest) -> str:
        """Up to the whole of max_tokens, which is 20."""
        return "word" * (1 + len(request.prompt) * 7 % 20)

    openai_server.answer = answer
    openai_server.decide = lambda request: "slow:0.01"
    served.config["models"]["tiny"]["price"] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    served.config["budgets"] = [
        {"scope": "run", "max_usd": 0.02},
        {"scope": "team", "max_usd": 0.012, "window": "month"},
        {"scope": "user", "max_tokens": 2500, "window": "month"},
        {"scope": "route", "max_tokens": 100_000, "window": "month"},
    ]
    served.write()
    found = told([start("spend", served.root, 250) for _ in range(4)])
    books = openai_server.books
    answered = sum(each["answered"] for each in found)
    assert answered + sum(each["refused"] for each in found) == 4 * 250
    assert (answered, answered > 100) == (books.requests, True)
    assert sum(each["answered"] > 0 for each in found) >= 2, found
    assert all(each["refused"] > 0 for each in found), found
    assert books.usd <= 0.012
    by_user: Counter[str] = Counter()
    for request in openai_server.seen:
        user = re.search(r"user-\d", request.prompt)
        assert user is not None
        by_user[user[0]] += tokens(request.prompt) + tokens(answer(request))
    assert sum(by_user.values()) == books.input_tokens + books.output_tokens
    assert max(by_user.values()) <= 2500
    # what is left is less than one call's upper bound, so hardly anything was held back in vain
    assert books.usd > 0.9 * 0.012 or min(by_user.values()) > 0.9 * 2500
    standing = ledger_of(served.root, run=RUN).standing(ANN)
    assert all(balance.held.tokens == 0 for _, balance in standing)
    (team,) = (balance for budget, balance in standing if budget.scope == "team")
    assert team.spent.tokens == books.input_tokens + books.output_tokens
    # the server bills cached input in full; so does the price without a price for it
    assert team.spent.nano == round(books.usd * 1e9)


def test_processes_that_race_for_the_last_holds_get_exactly_what_fits(
    served: ProjectFiles, start: Start
) -> None:
    served.config["budgets"] = [{"scope": "user", "max_tokens": 100, "window": "month"}]
    served.write()
    assert sum(told([start("admit", served.root, 80) for _ in range(4)])) == 100


def test_a_process_killed_in_mid_call_leaves_a_hold_that_is_charged_when_its_lease_ends(
    served: ProjectFiles, start: Start
) -> None:
    served.config["budgets"] = [{"scope": "user", "max_tokens": 1500, "window": "month"}]
    served.write()
    child = start("hold", served.root)
    wait_until_ready(child)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with pytest.raises(BudgetExhausted):
        ledger_of(served.root).reserve(0.0, 600, scopes=ANN)
    later = ledger_of(served.root, later_s=LEASE_S + 1)
    with pytest.raises(BudgetExhausted):
        later.reserve(0.0, 600, scopes=ANN)
    ((_, balance),) = later.standing(ANN)
    assert (balance.spent.tokens, balance.held.tokens) == (1000, 0)
    later.reserve(0.0, 500, scopes=ANN)


def test_a_run_killed_in_mid_call_and_resumed_stays_under_its_cap_by_the_servers_books(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["models"]["tiny"]["price"] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    openai_server.answer = lambda request: "word" * 20
    served.config["budgets"] = [{"scope": "run", "max_usd": 0.005}]
    served.config["run"]["concurrency"] = 8
    served.write()
    children: list[subprocess.Popen[bytes]] = []

    def kill(request: SeenRequest) -> None:
        if len(openai_server.seen) == 20:
            for child in children:
                os.kill(child.pid, signal.SIGKILL)

    openai_server.decide = kill
    arguments = [sys.executable, "-m", "evalkit", "run", "--no-cache", "--quiet"]
    children.append(
        subprocess.Popen(
            arguments, cwd=served.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    )
    assert children[0].wait() == -signal.SIGKILL
    (name,) = os.listdir(served.root / ".evalkit/runs")
    bundle = served.root / ".evalkit/runs" / name
    before_usd, _ = Bundle(bundle).spent()
    assert before_usd > 0
    ended = evalkit("run", "--resume", name, "--quiet", cwd=served.root)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "budget exhausted" in ended.stdout
    # what the report says was spent has the calls that were cut off as well
    billed_usd = json.loads((bundle / "run.json").read_text())["billed_usd"]
    assert openai_server.books.usd <= billed_usd + 1e-9
    assert before_usd < billed_usd <= 0.005
    assert not (served.root / ".evalkit/ledger.db").exists()


def test_the_cap_of_a_run_holds_at_concurrency_64_by_the_servers_books(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["models"]["tiny"]["price"] = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 4}
    openai_server.answer = lambda request: "word" * (1 + len(request.prompt) * 7 % 20)
    openai_server.decide = lambda request: "slow:0.01"
    served.config["budgets"] = [{"scope": "run", "max_usd": 0.01}]
    served.write()
    arguments = ("run", "--no-cache", "--quiet", "--concurrency", "64", "--trials", "5")
    ended = evalkit(*arguments, cwd=served.root)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    (run,) = (served.root / ".evalkit/runs").glob("*/run.json")
    billed_usd = json.loads(run.read_text())["billed_usd"]
    assert openai_server.books.most_in_flight > 32
    assert openai_server.books.usd <= billed_usd + 1e-9
    # less is left than one call's upper bound, so nothing was held back in vain
    assert 0.9 * 0.01 < billed_usd <= 0.01


def test_the_budget_of_a_day_holds_over_several_runs(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["budgets"] = [{"scope": "workflow", "max_tokens": 1500, "window": "month"}]
    served.write()
    first = evalkit("run", "--no-cache", "--quiet", "--trials", "1", cwd=served.root)
    second = evalkit("run", "--no-cache", "--quiet", "--trials", "1", cwd=served.root)
    assert (first.returncode, second.returncode) == (0, 4), second.stdout + second.stderr
    assert "by this workflow in its month" in second.stdout + second.stderr
    books = openai_server.books
    assert books.input_tokens + books.output_tokens <= 1500
    told = evalkit("route", "explain", "--route", "ask", "--suite", "ask", cwd=served.root)
    left = 1500 - books.input_tokens - books.output_tokens
    assert re.search(
        rf"1,500 tokens a workflow, each month; [\d,]+ tokens spent, {left:,} left",
        " ".join(told.stdout.split()),
    ), told.stdout


@pytest.mark.parametrize("content", [b"no database" * 400, None])
def test_without_its_ledger_a_run_asks_nobody(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer, content: bytes | None
) -> None:
    served.config["budgets"] = [{"scope": "workflow", "max_usd": 1}]
    served.write()
    ledger = served.root / ".evalkit/ledger.db"
    if content is None:
        ledger.mkdir(parents=True)
    else:
        ledger.parent.mkdir()
        ledger.write_bytes(content)
    ended = evalkit("run", "--no-cache", cwd=served.root)
    assert ended.returncode == 4, ended.stdout + ended.stderr
    assert "the ledger of budgets" in ended.stderr
    assert "no call is made without it" in " ".join(ended.stderr.split())
    assert openai_server.books.requests == 0


def test_a_ledger_that_cannot_be_read_is_told_where_a_route_is_explained(
    evalkit: Evalkit, served: ProjectFiles
) -> None:
    served.config["budgets"] = [{"scope": "route", "max_usd": 1}]
    served.write()
    (served.root / ".evalkit").mkdir()
    (served.root / ".evalkit/ledger.db").write_bytes(b"no database" * 400)
    ended = evalkit("route", "explain", "--route", "ask", cwd=served.root)
    assert ended.returncode == 4
    with pytest.raises(StoreError):
        ledger_of(served.root).standing(ANN)
