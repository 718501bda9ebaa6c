"""A run that is killed or interrupted, again and again, comes to what an undisturbed one comes to.

`tests/faults/killing.py` says what is held against what; `make kills` draws 200 moments.
"""

import signal
from collections.abc import Iterator

import pytest

from tests.faults.killing import Bench, Moment


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("kills"), cases=8)
    yield made
    made.close()


@pytest.mark.parametrize(
    "moments",
    [
        pytest.param(
            [
                Moment("request", 1),
                Moment("request", 30),
                Moment("calls.jsonl", 9_001),
                Moment("attempts.jsonl", 10_000),
                Moment("judgments.jsonl", 1),
            ],
            id="killed",
        ),
        pytest.param(
            [
                Moment("request", 1, (signal.SIGINT,)),
                Moment("request", 5, (signal.SIGTERM,)),
                Moment("request", 5, (signal.SIGINT, signal.SIGINT)),
                Moment("request", 5, (signal.SIGTERM, signal.SIGKILL)),
            ],
            id="interrupted",
        ),
    ],
)
def test_a_run_that_was_stopped_comes_to_what_an_undisturbed_one_comes_to(
    bench: Bench, moments: list[Moment]
) -> None:
    done = bench.chain(moments, cache=False)
    assert done.wrong == []
    assert done.kills == len(moments)
