"""A run of many cases is decided from its files, in little memory, and as one in memory is."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.run import RunRecord, StoredRun, SuiteRecord, SuiteSnapshot
from evalkit.records.score import Score
from evalkit.store.attempt_lines import AttemptLines
from evalkit.store.score_lines import ScoreLines
from evalkit.workflows.compare import decide_between
from evalkit.workflows.deciding import ResultTable, decide, score_attempts

CASES = 6_000
SNAPSHOT = SuiteSnapshot(
    suite="many",
    golden="many@v1",
    golden_path="goldensets/many/v1/cases.jsonl",
    cases=Cases.of(
        Case(
            id=f"c{number:05}",
            input={"text": f"Which label has ticket {number}?"},
            expected={"output": "ok"},
            tags=("hard",) if number % 7 == 0 else (),
            group=f"g{number % 2_000}" if number % 3 == 0 else None,
        )
        for number in range(CASES)
    ),
    scorers=({"exact": {}},),
    gate={
        "max_drop_pp": 3.0,
        "min_pass_rate": 0.5,
        "invariants": ["forbidden_tools"],
        "slices": {"hard": {"max_drop_pp": 5.0, "min_pass_rate": 0.5}},
        "metrics": {"cost_usd_per_resolved": {"max_increase_pct": 10.0}},
    },
    has_baseline=True,
    trials=1,
)


def attempt(case: str, number: int, variant: Any, *, again: bool = False) -> Attempt:
    broke = number % 97 == 0 and not again
    right = number % (11 if variant == "candidate" else 12) != 0
    return Attempt(
        at="2026-11-30T08:00:00+00:00",
        variant=variant,
        suite="many",
        case=case,
        trial=1,
        key=f"{variant}{number}",
        state="error" if broke else "answered",
        failure_mode=None,
        origin=None if broke else "live",
        output=None if broke else "ok" if right else "no",
        cost_usd=None if broke else 0.001 + number * 1e-7,
        latency_s=None if broke else 0.5 + number * 1e-5,
        measurement_id=f"{variant}-{number}",
    )


def lines() -> Iterator[Attempt]:
    """Both arms, of which some attempts broke down; a few of those are made again in the end."""
    for number, case in enumerate(SNAPSHOT.cases.ids()):
        yield attempt(case, number, "baseline")
        yield attempt(case, number, "candidate")
    for number, case in enumerate(SNAPSHOT.cases.ids()):
        if number % 194 == 0:
            yield attempt(case, number, "candidate", again=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many")
    encode = msgspec.json.Encoder().encode
    with (folder / "attempts.jsonl").open("wb") as file:
        file.writelines(encode(each) + b"\n" for each in lines())
    held = AttemptLines(folder / "attempts.jsonl")
    with (folder / "scores.jsonl").open("wb") as file:
        file.writelines(encode(each) + b"\n" for each in score_attempts([SNAPSHOT], held))
    return folder


def test_attempts_read_from_their_file_are_those_that_were_held(files: Path) -> None:
    read = AttemptLines(files / "attempts.jsonl", held_bytes=0)
    latest = {each.place: each for each in lines()}
    assert len(read) == len(latest) == 2 * CASES
    assert list(read) == list(latest.values())
    assert read.at(("many", "candidate", "c00194", 1)) == latest["many", "candidate", "c00194", 1]
    assert read.at(("many", "candidate", "c00194", 2)) is None
    assert list(read.of_case("many", "baseline", "c00007")) == [1]
    again = [each.place[2] for each in read.superseded()]
    assert again == [f"c{number:05}" for number in range(0, CASES, 194)]


def test_scores_in_any_order_are_found_by_their_attempt(files: Path, tmp_path: Path) -> None:
    read = AttemptLines(files / "attempts.jsonl", held_bytes=0)
    turned = tmp_path / "scores.jsonl"
    turned.write_bytes(b"".join(reversed((files / "scores.jsonl").read_bytes().splitlines(True))))
    scores: dict[object, list[Score]] = {}
    for each in ScoreLines(files / "scores.jsonl", read):
        scores.setdefault(each.place, []).append(each)
    for held_bytes in (0, 1 << 30):
        found = ScoreLines(turned, read, held_bytes=held_bytes)
        for place in list(scores)[::501]:
            assert list(found.of(place)) == scores[place][::-1]  # type: ignore[arg-type]


def test_the_verdict_of_files_is_that_of_the_same_data_in_memory(files: Path) -> None:
    attempts = AttemptLines(files / "attempts.jsonl", held_bytes=0)
    scores = ScoreLines(files / "scores.jsonl", attempts, held_bytes=0)
    streamed = decide([SNAPSHOT], attempts, scores)
    assert streamed == decide([SNAPSHOT], tuple(attempts), tuple(scores))
    assert streamed.suites[0].unknown > 0


def test_a_run_of_files_holds_less_than_110_bytes_an_attempt(files: Path) -> None:
    SNAPSHOT.cases.position("c00000")  # what finds a case is the golden set's
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    attempts = AttemptLines(files / "attempts.jsonl", held_bytes=0)
    scores = ScoreLines(files / "scores.jsonl", attempts, held_bytes=0)
    table = ResultTable([SNAPSHOT], attempts, scores)
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert table.outcomes.passes.get(("many", "candidate", "c00001", 1)) is True
    assert held < 110 * len(attempts)


def run_of(files: Path, name: str) -> StoredRun:
    """The files as a whole run."""
    attempts = AttemptLines(files / "attempts.jsonl", held_bytes=0)
    suite = SuiteRecord(
        suite="many",
        golden="many@v1",
        golden_digest="sha256:golden",
        scorers=SNAPSHOT.scorers,
        scorers_digest="sha256:scorers",
        gate=SNAPSHOT.gate,
        variants=(),
        totals=(),
        cases=CASES,
        trials=1,
    )
    record = RunRecord(
        schema="evalkit.run/1",
        id=name,
        evalkit="1",
        state="complete",
        started_at="2026-11-30T08:00:00+00:00",
        finished_at="2026-11-30T09:00:00+00:00",
        duration_s=1.0,
        command=(),
        suites=(suite,),
        verdict=None,
        exit_code=0,
    )
    return StoredRun(
        path=str(files),
        record=record,
        snapshots=(SNAPSHOT,),
        attempts=attempts,
        scores=(),
    )


def test_the_verdict_between_two_runs_is_that_of_both_in_memory(files: Path) -> None:
    tested = [
        each for each in AttemptLines(files / "attempts.jsonl") if each.variant == "candidate"
    ]
    both = [msgspec.structs.replace(each, variant="baseline") for each in tested] + tested
    alike = msgspec.structs.replace(SNAPSHOT, baseline_trials=1)
    expected = decide([alike], both, tuple(score_attempts([SNAPSHOT], both)))
    assert expected.suites[0].unknown > 0
    assert decide_between(run_of(files, "a"), run_of(files, "b")) == expected
