"""Four gateway processes of one project at concurrency 256: by the upstream's books no cap is
passed, and hardly anything of one is left unused."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from evalkit.records.ledger import Balance, KeyCaps
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.store.traces import TraceStore
from tests.faults.gateway_load import (
    Fleet,
    Key,
    answered_by,
    ask_all,
    bound_of,
    fleet,
    total,
)
from tests.faults.ledgers import ledger_of

AT_ONCE = 256
EACH = 5
KEY_USD, KEY_TOKENS, TEAM_USD, ORG_TOKENS = 0.0015, 720, 0.008, 9_000
BUDGETS = f"""\
- {{scope: team, for: support, max_usd: {TEAM_USD}, window: month}}
- {{scope: org, max_tokens: {ORG_TOKENS}, window: month}}
- {{scope: user, max_usd: 5, window: month}}
- {{scope: route, max_tokens: 1000000, window: month}}
- {{scope: run, max_tokens: 1000}}
"""


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root: Path = tmp_path_factory.mktemp("gateways") / "project"
    with fleet(root, BUDGETS, processes=4) as it:
        it.upstream.decide = lambda request: "slow:0.02"
        yield it


def test_what_the_upstream_counted_is_under_every_cap_and_is_what_the_ledger_charged(
    gateways: Fleet,
) -> None:
    cents = gateways.add_key(
        "cents", team="pilots", org="acme", caps=KeyCaps(KEY_USD, None, "month")
    )
    words = gateways.add_key(
        "words", team="pilots", org="acme", caps=KeyCaps(None, KEY_TOKENS, "month")
    )
    helper = gateways.add_key("helper", team="support", org="acme")
    seller = gateways.add_key("seller", team="sales", org="acme")
    keys = [cents, words, helper, seller]
    places = gateways.processes
    work = [(keys[task % 4], [places[task // 4 % len(places)]]) for task in range(AT_ONCE)]
    told = asyncio.run(ask_all(work, gateways.numbers, each=EACH))

    # everything was answered, or refused by a budget
    assert len(told) == AT_ONCE * EACH
    answered = [each for each in told if each.status == 200]
    refused = [each for each in told if each.status != 200]
    assert {(each.status, each.code, each.again) for each in refused} == {
        (429, "insufficient_quota", "false")
    }
    assert all(each.rule.startswith("budgets.") for each in refused)
    assert {(each.key, each.rule) for each in refused} >= {
        ("cents", "budgets.key.max_usd"),
        ("words", "budgets.key.max_tokens"),
        ("helper", "budgets.team.max_usd"),
        ("seller", "budgets.org.max_tokens"),
    }
    assert {each.at for each in answered} == {each.url for each in places}, "all of them served"

    # the upstream was asked what was answered, and never saw the address in the question
    books = answered_by(gateways.upstream)
    assert {(each.key, each.number, each.text) for each in books} == {
        (each.key, each.number, each.text) for each in answered
    }
    assert len(books) == len(answered) > 200
    assert not any("kim@" in request.text for request in gateways.upstream.seen)
    assert gateways.upstream.books.most_in_flight > 16

    # under every cap, and so near to it that no further call would have fitted
    support = [each for each in books if each.key == "helper"]
    cents_nano, _ = total(each for each in books if each.key == "cents")
    _, words_tokens = total(each for each in books if each.key == "words")
    team_nano, _ = total(support)
    _, org_tokens = total(books)
    bound_nano, bound_tokens = bound_of(gateways.root, "helper", 1279)
    for spent, cap, bound in (
        (cents_nano, KEY_USD * 1e9, bound_nano),
        (words_tokens, KEY_TOKENS, bound_tokens),
        (team_nano, TEAM_USD * 1e9, bound_nano),
        (org_tokens, ORG_TOKENS, bound_tokens),
    ):
        assert cap - bound < spent <= cap
        assert bound < cap / 10, "so the cap is nearly used"

    # the ledger says the same, call for call, and nothing is held any more
    while gateways.holds():  # what ended last is written within milliseconds
        pass
    for key in keys:
        mine = total(each for each in books if each.key == key.name)
        for scope, balance in _standing(gateways, key).items():
            assert (balance.held.nano, balance.held.tokens) == (0, 0)
            spent = (balance.spent.nano, balance.spent.tokens)
            if scope in ("user", "key"):
                assert spent == mine
            elif scope == "team":
                assert key is helper
                assert spent == total(support)
            elif scope in ("org", "route"):
                assert spent == total(books)

    # so do the processes' own figures, and each answer and each refusal has its trace
    figures = [_figures(gateways, each.url) for each in places]
    assert sum(each["evalkit_tokens_total"] for each in figures) == org_tokens
    assert sum(each["evalkit_usd_total"] for each in figures) * 1e9 == pytest.approx(
        total(books)[0]
    )
    assert sum(each["evalkit_lost_traces"] for each in figures) == 0
    ids = {each.trace for each in told}
    assert len(ids) == len(told)
    traces = TraceStore(gateways.root)
    while len(found := traces.find_all(ids)) < len(ids):
        pass  # the last ones are being written
    assert sum(each.input_tokens + each.output_tokens for each in found.values()) == org_tokens


def _standing(gateways: Fleet, key: Key) -> dict[str, Balance]:
    """The balances of all that a key's calls are charged to, by scope, without the run's."""
    standing = ledger_of(gateways.root).standing(key.scopes)
    return {budget.scope: balance for budget, balance in standing if budget.scope != "run"}


def _figures(gateways: Fleet, url: str) -> Counter[str]:
    """What a process tells who watches it, over all labels."""
    keys = GatewayKeys(gateways.root, now=lambda: datetime.now(UTC))
    secret, _ = keys.add(purpose="metrics")
    address = f"{url.removesuffix('/v1')}/metrics"
    told = httpx.get(address, headers={"authorization": f"Bearer {secret}"}, timeout=60)
    added: Counter[str] = Counter()
    for family in text_string_to_metric_families(told.text):
        for sample in family.samples:
            added[sample.name] += sample.value  # type: ignore[assignment]
    return added
