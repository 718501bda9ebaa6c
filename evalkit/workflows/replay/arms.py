"""A suite over production traffic: its cases are sessions, its baseline is what was answered."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from evalkit._version import __version__
from evalkit.config.suites import Gate, Quarantine
from evalkit.errors import Refused, UsageError
from evalkit.gate.readings import AMOUNTS
from evalkit.records.asset import GoldenSet
from evalkit.records.cases import Cases
from evalkit.records.run import (
    RunRecord,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.records.verdict import SESSIONS_PLAYED, Outcome, PartVerdict
from evalkit.report.figures import count
from evalkit.sources.assets import load_assets
from evalkit.sources.golden import ContentDigest
from evalkit.sources.tree import WorkingTree
from evalkit.store.traces import TraceStore
from evalkit.workflows.replay.sessions import named_by_why
from evalkit.workflows.replay.traffic import Player, Traffic, read_traffic
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup

PRODUCTION = "production"
_PATH = ".evalkit/traces"
# of other machines, under another load
_TIMES = ("latency_s", "time_to_resolution_s")


def with_traffic(setup: SuiteSetup, request: RunRequest, root: Path) -> SuiteSetup:
    """The suite over the sessions that the request names, instead of its golden set and baseline.

    Raises Refused for a suite that tests a program, and where no session can be replayed;
    UsageError for a trace that is no longer there.
    """
    suite = setup.assets.suite
    if suite.target.program is not None:
        raise Refused(
            f"suite {setup.name} tests a program, and what a program was given cannot be told from "
            "the messages that a model got; replay a suite whose target is a prompt or an agent"
        )
    found = TraceStore(root).find_all(request.traces)
    missing = [each for each in request.traces if each not in found]
    if missing:
        raise UsageError(
            f"there is no trace {missing[0]} any more"
            + (f" ({len(missing):,} of {len(request.traces):,} are gone)" if missing[1:] else "")
            + ", so it cannot be replayed; what is left can be, by a replay of its own"
        )
    traffic = read_traffic([found[each] for each in request.traces], _player(setup, request, root))
    if not traffic.cases:
        raise Refused(
            f"none of {count(len(request.traces), 'session')} can be replayed: "
            f"{traffic.left_out.words}"
        )
    unheld = _unheld(suite.gate, traffic)
    rules = {name: rule for name, rule in suite.gate.metrics.items() if name not in unheld}
    gate = suite.gate.model_copy(
        update={"slices": {}, "invariants": [], "anchor": None, "metrics": rules}
    )
    played = suite.model_copy(update={"gate": gate, "quarantine": Quarantine()})
    golden = _golden(setup.name, traffic)
    return msgspec.structs.replace(
        setup,
        assets=msgspec.structs.replace(setup.assets, suite=played, golden=golden),
        baseline=None,
        stored=_production(setup, traffic, golden),
        anchor=None,
        stored_anchor=None,
        notes=tuple(_notes(suite.gate, traffic, request, unheld)),
        traffic=True,
        parts=_unplayed(traffic, request, suite.owner),
    )


def _unheld(gate: Gate, traffic: Traffic) -> list[str]:
    """The metrics that say nothing of production and a candidate side by side."""
    unknown = AMOUNTS if traffic.untold else _TIMES
    return [name for name in gate.metrics if name in unknown]


def _notes(
    gate: Gate, traffic: Traffic, request: RunRequest, unheld: Sequence[str]
) -> Iterator[str]:
    """What a reader has to know of a replay."""
    told = f" ({traffic.joined:,} of them requests of a longer one)" if traffic.joined else ""
    left_out = traffic.left_out.words
    yield (
        f"replay of {len(traffic.cases) + traffic.joined:,} of {len(request.traces):,} stored "
        f"sessions{told}" + (f"; left out: {left_out}" if left_out else "")
    )
    yield (
        "the baseline is what production answered, and so is what is expected, right or wrong: a "
        "drop is how often the candidate no longer answers as production did"
    )
    yield "inputs are as redacted as traces are; sessions that asked the same count as one"
    if any(case.tools or case.conversation for case in traffic.cases):
        yield (
            "tools answer what they answered in the session, and the user says what they said "
            "there, whatever the candidate answers; a call that production did not make has no "
            "result, and the model is told so"
        )
    if traffic.other_tools:
        yield (
            f"in {traffic.other_tools:,} of them production's model was offered other tools than "
            "the candidate's"
        )
    if traffic.untold:
        yield (
            f"of {traffic.untold:,} of them requests are not stored, so nobody knows what they "
            "cost: no costs and no tokens are held against each other"
        )
    without = [name for name in ("slices", "invariants", "anchor") if getattr(gate, name)]
    without += [f"metrics.{name}" for name in unheld]
    if without:
        yield f"not held against traffic: gate.{', gate.'.join(without)}"


def _unplayed(traffic: Traffic, request: RunRequest, owner: str | None) -> tuple[PartVerdict, ...]:
    """The held, inconclusive part of a replay that left out more than it was told to accept."""
    played = len(traffic.cases) + traffic.joined
    unplayed = traffic.left_out.unplayed
    missed = sum(map(len, unplayed.values())) + request.unreadable
    share = played / (played + missed)
    if share >= request.min_played:
        return ()
    whys = [named_by_why(unplayed)] if unplayed else []
    if request.unreadable:
        whys.append(f"{count(request.unreadable, 'line')} of the traces that cannot be read")
    open_ = Outcome.INCONCLUSIVE
    part = PartVerdict(
        name=SESSIONS_PLAYED,
        kind="guard",
        outcome=open_,
        best=open_,
        worst=open_,
        required=True,
        held=True,
        message=(
            f"{played:,} of the {played + missed:,} sessions that may be evaluated could be "
            f"played, and this says nothing of the rest: {'; '.join(whys)}."
        ),
        what_would_settle=(
            "A suite that can play the rest, or a reader who accepts that it is left out: "
            f"--min-played {math.floor(100 * share)}."
        ),
        owner=owner,
    )
    return (part,)


def _player(setup: SuiteSetup, request: RunRequest, root: Path) -> Player:
    """What plays: the suite, with what production may have asked through: the project's prompt or
    agent as it is, then the candidate's."""
    arms = [setup.assets]
    if request.changes:
        unchanged = load_assets(WorkingTree(root), suites=[setup.name], keep_cases=False)
        arms.insert(0, unchanged.suites[setup.name])
    agents = tuple(each.agent for each in arms if each.agent is not None)
    return Player(
        name=setup.name,
        suite=setup.assets.suite,
        agents=agents if setup.assets.agent is not None else (),
        prompts=tuple(each.prompt for each in arms if each.prompt is not None),
        references=any(rubric.reference == "required" for rubric in setup.assets.rubrics.values()),
    )


def _golden(suite: str, traffic: Traffic) -> GoldenSet:
    digest = ContentDigest()
    for case in traffic.cases:
        digest.add(case)
    return GoldenSet(
        name=f"{suite}.traffic",
        version=1,
        cases=Cases.of(traffic.cases),
        digest=digest.result(),
        path=_PATH,
        frozen=True,
        description="Sessions of production.",
        count=len(traffic.cases),
        groups=len({case.group for case in traffic.cases}),
    )


def _production(setup: SuiteSetup, traffic: Traffic, golden: GoldenSet) -> StoredRun:
    """What production answered, as a run whose candidate it was."""
    ats = sorted(attempt.at for attempt in traffic.attempts)
    prompts = {attempt.prompt for attempt in traffic.attempts}
    routes = {attempt.route for attempt in traffic.attempts}
    variant = VariantRecord(
        variant="candidate",
        source=PRODUCTION,
        prompt=", ".join(sorted(prompts)),
        route=", ".join(sorted(routes)),
        models=traffic.models,
        digests={},
    )
    suite = SuiteRecord(
        suite=setup.name,
        golden=golden.reference,
        golden_digest=golden.digest,
        scorers=(),
        scorers_digest=setup.assets.scorers_digest,
        gate={},
        variants=(variant,),
        totals=(),
        cases=len(traffic.cases),
        trials=1,
    )
    record = RunRecord(
        schema="evalkit.run/1",
        id=PRODUCTION,
        evalkit=__version__,
        state="complete",
        started_at=ats[0],
        finished_at=ats[-1],
        duration_s=0.0,
        command=(),
        suites=(suite,),
        verdict=None,
        exit_code=0,
    )
    snapshot = SuiteSnapshot(
        suite=setup.name,
        golden=golden.reference,
        golden_path=golden.path,
        cases=golden.cases,
        scorers=(),
        gate={},
        has_baseline=False,
        trials=1,
    )
    return StoredRun(
        path=_PATH, record=record, snapshots=(snapshot,), attempts=traffic.attempts, scores=()
    )
