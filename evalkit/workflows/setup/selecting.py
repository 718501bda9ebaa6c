"""Which cases of a run's suites are played: all of them, or a selection that never gates."""

from collections.abc import Mapping, Sequence

from evalkit.errors import Refused
from evalkit.records.cases import Cases
from evalkit.store.runs import RunStore
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.setup.variants import SuiteSetup


def select_cases(
    request: RunRequest, setups: Sequence[SuiteSetup], store: RunStore
) -> Mapping[str, Cases]:
    """The cases of each suite, by its name.

    Raises Refused for a case or tag that no suite has, and where nothing is left to run.
    """
    _check_known(request, setups)
    selected = {setup.name: _select(setup, request, store) for setup in setups}
    if not any(selected.values()):
        raise Refused(_no_case(_asked(request), setups))
    return selected


def _select(setup: SuiteSetup, request: RunRequest, store: RunStore) -> Cases:
    """The suite's cases, or those that the request asks for."""
    cases = setup.assets.golden.cases
    if request.broken_in:
        broken = _broken_cases(store, request.broken_in, setup.name)
        cases = cases.where(lambda case: case.id in broken)
    if request.cases:
        cases = cases.where(lambda case: case.id in request.cases)
    if request.tags:
        cases = cases.where(lambda case: not set(request.tags).isdisjoint(case.tags))
    return cases


def _broken_cases(store: RunStore, name: str, suite: str) -> set[str]:
    """Cases of a suite that the stored run's candidate failed and its baseline, if any, passed."""
    from evalkit.workflows.deciding import ResultTable  # most runs select nothing by a stored one

    stored = store.open(name).load_whole()
    table = ResultTable(stored.snapshots, stored.attempts, stored.scores, stored.judgments)
    passes = table.outcomes.passes

    def ended(arm: str, *, passed: bool) -> set[str]:
        return {
            attempt.case
            for attempt in stored.attempts
            if attempt.place[:2] == (suite, arm) and bool(passes.get(attempt.place)) is passed
        }

    failed = ended("candidate", passed=False)
    snapshot = stored.snapshot(suite)
    if snapshot is None or not snapshot.has_baseline:
        return failed
    return failed & ended("baseline", passed=True)


def _check_known(request: RunRequest, setups: Sequence[SuiteSetup]) -> None:
    """Raise Refused for a case or tag that no suite has: a typo would only make the run smaller."""
    sets = [setup.assets.golden.cases for setup in setups]
    unknown = [
        f"--case {case}" for case in request.cases if not any(cases.has(case) for cases in sets)
    ]
    if request.tags:
        tags = {tag for cases in sets for case in cases for tag in case.tags}
        unknown += [f"--tag {tag}" for tag in request.tags if tag not in tags]
    if unknown:
        raise Refused(_no_case(unknown, setups))


def _asked(request: RunRequest) -> list[str]:
    asked = [f"--case {case}" for case in request.cases] + [f"--tag {tag}" for tag in request.tags]
    if request.broken_in:
        asked.append(f"--cases-from {request.broken_in} --regressed")
    return asked


def _no_case(asked: Sequence[str], setups: Sequence[SuiteSetup]) -> str:
    tags = sorted({t for setup in setups for case in setup.assets.golden.cases for t in case.tags})
    known = f"; tags are {', '.join(tags)}" if tags else ""
    return f"no case matches {' '.join(asked) or 'the suites'}, so there is nothing to run{known}"
