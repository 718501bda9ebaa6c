"""A suite over production traffic: its cases are sessions, its baseline is what was answered."""

from dataclasses import replace
from pathlib import Path

from evalkit._version import __version__
from evalkit.config.suites import Quarantine
from evalkit.errors import Refused, UsageError
from evalkit.records.asset import GoldenSet, Prompt
from evalkit.records.cases import Cases
from evalkit.records.run import (
    RunRecord,
    StoredRun,
    SuiteRecord,
    SuiteSnapshot,
    VariantRecord,
)
from evalkit.sources.assets import load_assets
from evalkit.sources.golden import ContentDigest
from evalkit.sources.tree import WorkingTree
from evalkit.store.traces import TraceStore
from evalkit.workflows.replay.traffic import Traffic, read_traffic
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup

PRODUCTION = "production"
_PATH = ".evalkit/traces"
# of other machines, under another load
_TIMES = ("latency_s", "time_to_resolution_s")


def with_traffic(setup: SuiteSetup, request: RunRequest, root: Path) -> SuiteSetup:
    """The suite over the sessions that the request names, instead of its golden set and baseline.

    Raises Refused for a suite that tests no prompt, and where no session can be replayed;
    UsageError for a trace that is no longer there.
    """
    suite = setup.assets.suite
    if suite.target.prompt is None:
        raise Refused(
            f"suite {setup.name} tests no prompt, and what another target was given cannot be told "
            "from the messages that a model got; replay a suite whose target is a prompt"
        )
    found = TraceStore(root).find_all(request.traces)
    missing = [each for each in request.traces if each not in found]
    if missing:
        raise UsageError(f"there is no trace {missing[0]} any more, so it cannot be replayed")
    traffic = read_traffic(
        [found[each] for each in request.traces], setup.name, suite, _prompts(setup, request, root)
    )
    left_out = "; ".join(f"{count:,} {why}" for why, count in traffic.left_out.most_common())
    if not traffic.cases:
        raise Refused(f"none of {len(request.traces):,} sessions can be replayed: {left_out}")
    alike = {name: rule for name, rule in suite.gate.metrics.items() if name not in _TIMES}
    gate = suite.gate.model_copy(
        update={"slices": {}, "invariants": [], "anchor": None, "metrics": alike}
    )
    played = suite.model_copy(update={"gate": gate, "quarantine": Quarantine()})
    golden = _golden(setup.name, traffic)
    stored = _production(setup, traffic, golden)
    notes = [
        f"replay of {len(traffic.cases):,} of {len(request.traces):,} stored sessions"
        + (f"; left out: {left_out}" if left_out else ""),
        "the baseline is what production answered, and so is what is expected, right or wrong: a "
        "drop is how often the candidate no longer answers as production did",
        "inputs are as redacted as traces are; sessions that asked the same count as one",
    ]
    if traffic.other_tools:
        notes.append(
            f"in {traffic.other_tools:,} of them production's model was offered other tools than "
            "the prompt has"
        )
    without = [name for name in ("slices", "invariants", "anchor") if getattr(suite.gate, name)]
    without += [f"metrics.{name}" for name in suite.gate.metrics if name in _TIMES]
    if without:
        notes.append(f"not held against traffic: gate.{', gate.'.join(without)}")
    return replace(
        setup,
        assets=replace(setup.assets, suite=played, golden=golden),
        baseline=None,
        stored=stored,
        anchor=None,
        stored_anchor=None,
        notes=tuple(notes),
    )


def _prompts(setup: SuiteSetup, request: RunRequest, root: Path) -> list[Prompt]:
    """The prompt that production may have asked through: the project's as it is, then the
    candidate's."""
    candidate = setup.assets.prompt
    assert candidate is not None, "the suite tests a prompt"
    if not request.changes:
        return [candidate]
    unchanged = load_assets(WorkingTree(root), suites=[setup.name], keep_cases=False)
    before = unchanged.suites[setup.name].prompt
    return [each for each in (before, candidate) if each is not None]


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
