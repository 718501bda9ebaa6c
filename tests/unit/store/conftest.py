"""Builders of what a bundle holds."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evalkit.records.attempt import Attempt
from evalkit.records.call import Decision, Reply, Usage
from evalkit.records.run import RunRecord, SuiteRecord
from evalkit.store.bundle import Bundle
from evalkit.store.runs import RunStore

RUN_ID = "20261124T193301Z-3f2a"


@pytest.fixture
def record() -> Callable[..., RunRecord]:
    """A run's record by its changes; it has the suite `triage`."""

    def build(**changes: Any) -> RunRecord:
        suite = SuiteRecord(
            suite="triage",
            golden="triage@v1",
            golden_digest="sha256:0",
            scorers=({"exact": {}},),
            scorers_digest="sha256:0",
            gate={"max_drop_pp": 3.0},
            variants=(),
            totals=(),
            cases=1,
            trials=1,
        )
        return RunRecord(
            **{
                "schema": "evalkit.run/1",
                "id": RUN_ID,
                "evalkit": "0.1.0",
                "state": "running",
                "started_at": "2026-11-24T19:33:01+00:00",
                "finished_at": "",
                "duration_s": 0.0,
                "command": ("evalkit", "run"),
                "suites": (suite,),
                "verdict": None,
                "exit_code": 0,
                **changes,
            }
        )

    return build


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    """An attempt by its changes."""

    def build(**changes: Any) -> Attempt:
        return Attempt(
            **{
                "at": "2026-11-24T19:33:02+00:00",
                "variant": "candidate",
                "suite": "triage",
                "case": "t-1",
                "trial": 1,
                "key": "k1",
                "state": "answered",
                **changes,
            }
        )

    return build


@pytest.fixture
def decision() -> Callable[..., Decision]:
    """A decision by its outcome."""

    def build(outcome: Any, rule: str = "models.primary") -> Decision:
        return Decision(
            act="complete", outcome=outcome, rule=rule, message="", at="2026-11-24T19:33:02+00:00"
        )

    return build


@pytest.fixture
def reply() -> Callable[..., Reply]:
    """A reply by its text."""

    def build(content: str = "billing", **changes: Any) -> Reply:
        return Reply(
            **{
                "content": content,
                "model": "m-1",
                "usage": Usage(input_tokens=20, output_tokens=1),
                "origin": "live",
                "measurement_id": "req-1",
                "measured_at": "2026-11-24T19:29:00+00:00",
                "latency_s": 0.4,
                **changes,
            }
        )

    return build


@pytest.fixture
def now() -> datetime:
    """When the run of `record` was started."""
    return datetime(2026, 11, 24, 19, 33, 1, tzinfo=UTC)


@pytest.fixture
def bundle(tmp_path: Path, record: Callable[..., RunRecord]) -> Bundle:
    """A run that was just started."""
    return RunStore(tmp_path).create(record())
