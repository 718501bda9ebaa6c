"""The benchmark of the gateway measures what it says."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.floor import server
from benchmarks.gateway import beside, percentiles
from benchmarks.http_load import Target, post, run, send_in_turn, send_on_time

ROOT = Path(__file__).parents[3]
LATENCY_MS, TOKEN_MS = 20.0, 20.0


def test_a_request_is_measured_from_when_it_was_due_to_its_first_text_and_to_its_end() -> None:
    words = ["--content", "one two three", "--token-ms", str(TOKEN_MS)]
    with server(LATENCY_MS, *words) as url:
        whole, stream = (
            post(f"{url}/chat/completions", json.dumps({"stream": streams}).encode(), {})
            for streams in (False, True)
        )

        async def ask() -> None:
            target = Target(url)
            tried = await send_on_time(target, [whole, stream] * 3, 500.0, seed=1)
            answers = [answer for answer in tried if answer is not None]
            assert [answer.status for answer in answers] == [200] * 6
            assert all(answer.took_ms >= LATENCY_MS for answer in answers)
            assert [answer.text_s is None for answer in answers] == [True, False] * 3
            for answer in answers[1::2]:
                assert answer.first_text_ms >= LATENCY_MS
                assert answer.took_ms - answer.first_text_ms >= 3 * TOKEN_MS
            assert len(await send_in_turn([target], [whole] * 5, at_once=2)) == 5
            target.close()

        run(ask())


def test_what_is_added_is_the_difference_of_each_percentile() -> None:
    direct, through = percentiles(range(101)), percentiles([2 * each for each in range(101)])
    assert direct == {"p50": 50, "p90": 90, "p99": 99, "max": 100}
    assert beside(through, direct)["added_p99"] == 99
    assert beside(direct, None) == {}


def test_the_gateway_is_asked_with_every_policy_on_and_denied_requests_are_no_figures() -> None:
    sizes = ["--per-s", "200", "--seconds", "0.6", "--warm-up-s", "0.01", "--rounds", "1"]
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks/gateway.py"), "latency", "--only", "full", *sizes],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    figures = json.loads(done.stdout)
    assert (figures["who"], figures["n"]) == ("full", 119)  # one of 120 has a phrase that is denied
    assert figures["ms_p50"] > 50
    assert figures["cpu_ms_a_request"] > 0
