"""`junit.xml` in the xunit2 shape, for what CI systems show beside a build.

No text of a model, a scorer or a server is in it: messages are fixed, and names are the project's.
A candidate's case that fails is a failure where the baseline passed it or there is none. One that
failed before as well is skipped with its reason, as pytest reports an expected failure, so that a
passing gate is no red build. An attempt without a result is an error.
"""

import re
from array import array
from collections import Counter
from collections.abc import Iterator

import msgspec

from evalkit.records.attempt import Attempt
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict
from evalkit.report.arms import Arm, Arms, Modes, Passes, Results, in_order_of_origins
from evalkit.report.headline import run_mark
from evalkit.report.marks import MARKS

# what XML 1.0 cannot hold, not even as a reference
_REPLACED = "\ufffd"
_COUNTED = ("tests", "failures", "errors", "skipped")
# what stands in an attribute as it is
_PLAIN = re.compile(r"[\w.,:;/+@ -]*", re.ASCII)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Test(msgspec.Struct, frozen=True):
    """One testcase. `tag` is failure, error or skipped, None for one that passed."""

    classname: str
    name: str
    time_s: float
    tag: str | None = None
    kind: str = ""
    message: str = ""
    text: str = ""


def junit_xml(
    run: StoredRun, passes: Passes, modes: Modes | None = None, *, hostname: str = "localhost"
) -> str:
    """The run as JUnit XML: for each suite its gate's requirements, then the candidate's attempts.

    `passes` says of each place whether its attempt passed, `modes` why it did not. Trials that
    earlier runs lent are in the gate's figures and no tests of this run.
    """
    return "".join(junit_pieces(run, passes, modes, hostname=hostname))


def junit_pieces(
    run: StoredRun, passes: Passes, modes: Modes | None = None, *, hostname: str = "localhost"
) -> Iterator[str]:
    """The same, piece by piece: a run of a million cases is a file of a million tests."""
    return junit_of_arms(run, Arms(run, passes, modes), hostname=hostname)


def junit_of_arms(run: StoredRun, arms: Arms, *, hostname: str = "localhost") -> Iterator[str]:
    """The same of the arms of that run."""
    suites = [_Suite(run, snapshot, arms) for snapshot in run.snapshots]
    sums: Counter[str] = Counter()
    for suite in suites:
        sums.update(suite.counts)
    total_s = sum(suite.time_s for suite in suites)
    counted = {name: str(sums[name]) for name in _COUNTED}
    yield '<?xml version="1.0" encoding="utf-8"?>\n'
    if not suites:
        yield f"<testsuites{_attributes(name='evalkit', **counted, time='0.000')} />\n"
        return
    yield f"<testsuites{_attributes(name='evalkit', **counted, time=f'{total_s:.3f}')}>\n"
    for suite in suites:
        yield from suite.pieces(hostname)
    yield "</testsuites>\n"


class _Suite:
    """The tests of one suite: counted first, then written one by one."""

    def __init__(self, run: StoredRun, snapshot: SuiteSnapshot, arms: Arms) -> None:
        self._run = run
        self._snapshot = snapshot
        self._after = arms.candidate(snapshot)
        self._before = arms.baseline(snapshot)
        self._gate = list(_gate_tests(run, snapshot.suite))
        tags = Counter([test.tag for test in self._gate])
        tags.update(_tag(passed, before) for _, _, passed, before in self._attempts())
        self.counts = {
            "tests": tags.total(),
            "failures": tags["failure"],
            "errors": tags["error"],
            "skipped": tags["skipped"],
        }
        self._origins: Counter[str] = Counter()
        self.time_s = 0.0
        cases, trials = self._after.cases, self._after.trials
        # of every planned trial, so that an attempt that passed is not looked up for it
        self._took_s = array("d", [0.0]) * (len(cases) * trials)
        for attempt in run.attempts:
            if attempt.suite == snapshot.suite:
                if attempt.origin is not None:
                    self._origins[attempt.origin] += 1
                own = 1 <= attempt.trial <= trials
                if own and attempt.variant == "candidate" and attempt.latency_s is not None:
                    self.time_s += attempt.latency_s
                    position = cases.position(attempt.case)
                    if position is not None:
                        self._took_s[position * trials + attempt.trial - 1] = attempt.latency_s

    def _attempts(self) -> Iterator[tuple[int, int, bool | None, bool | None]]:
        """Position, trial, whether it passed, and whether the case passed before."""
        for position in range(len(self._after.cases)):
            before = None if self._before is None else _any_passed(self._before.results(position))
            own = self._after.results(position)[: self._after.trials]
            for trial, passed in enumerate(own, start=1):
                yield position, trial, passed, before

    def pieces(self, hostname: str) -> Iterator[str]:
        run, suite = self._run, self._snapshot.suite
        attributes = _attributes(
            name=suite,
            **{name: str(self.counts[name]) for name in _COUNTED},
            time=f"{self.time_s:.3f}",
            timestamp=run.record.started_at,
            hostname=hostname,
        )
        yield f"  <testsuite{attributes}>\n    <properties>\n"
        for name, value in _properties(run, self._snapshot, self._origins).items():
            yield f"      <property{_attributes(name=name, value=value)} />\n"
        yield "    </properties>\n"
        # what is replaced in one name may make it equal to another
        seen: Counter[tuple[str, str]] = Counter()
        for test in self._tests():
            if isinstance(test, str):
                yield test
                continue
            name = legal(test.name)
            if _REPLACED in name or test.classname != suite:
                key = legal(test.classname), name
                seen[key] += 1
                if seen[key] > 1:
                    name = f"{name} ({seen[key]})"
            yield _test_xml(test, name)
        yield "  </testsuite>\n"

    def _tests(self) -> Iterator[_Test | str]:
        """The tests; those that pass and whose id needs no care come as they are written."""
        yield from self._gate
        after, cases = self._after, self._snapshot.cases.ids()
        start = f"    <testcase{_attributes(classname=after.suite)} name="
        case, at, plain = "", -1, False
        for position, trial, passed, before in self._attempts():
            if position != at:
                case, at = next(cases), position
                plain = _PLAIN.fullmatch(case) is not None
            time_s = self._took_s[position * after.trials + trial - 1]
            if not passed:
                yield _case_test(self._run, after, case, trial, passed, before, time_s)
            elif plain:
                yield f'{start}"{_name(case, trial)}" time="{time_s:.3f}" />\n'
            else:
                yield _Test(after.suite, _name(case, trial), time_s)


def _tag(passed: bool | None, passed_before: bool | None) -> str | None:
    """What an attempt is told as: failure, error or skipped; None where it passed."""
    if passed is None:
        return "error"
    return None if passed else "skipped" if passed_before is False else "failure"


def legal(text: str) -> str:
    """The text with every character that XML cannot hold replaced by U+FFFD."""
    return text if text.isascii() and text.isprintable() else _ILLEGAL.sub(_REPLACED, text)


def _gate_tests(run: StoredRun, suite: str) -> Iterator[_Test]:
    verdict = run.record.verdict
    decided = None if verdict is None else _suite_verdict(verdict.suites, suite)
    if decided is None:
        yield _Test(
            f"{suite}.gate",
            "verdict",
            0.0,
            tag="skipped",
            kind="evalkit.not_gated",
            message="This run decided nothing.",
            text=f"state {run.record.state}, exit code {run.record.exit_code}",
        )
        return
    for part in decided.parts:
        yield _part_test(suite, part, let_through=run.record.exit_code == 0)


def _suite_verdict(suites: tuple[SuiteVerdict, ...], name: str) -> SuiteVerdict | None:
    return next((suite for suite in suites if suite.suite == name), None)


def _part_test(suite: str, part: PartVerdict, *, let_through: bool) -> _Test:
    """A requirement. Only a measured failure is a failure; what is open is an error, or skipped
    where `on_inconclusive: warn` lets it through.
    """
    tag: str | None = None
    if part.outcome is Outcome.FAIL:
        tag = "failure"
    elif part.outcome is not Outcome.PASS:
        tag = "error"
    accepted = part.waiver is not None
    if tag is not None and (let_through or accepted or not part.required):
        tag = "skipped"
    return _Test(
        f"{suite}.gate",
        part.name,
        0.0,
        tag=tag,
        kind=f"evalkit.{part.outcome.value}",
        message=MARKS[part.outcome]
        + (" (accepted)" if accepted else "")
        + ("" if part.required else " (advisory)"),
        text=part.message,
    )


def _any_passed(results: Results) -> bool | None:
    """Whether a trial passed; None where one without a result may have."""
    if any(results):
        return True
    return None if None in results else False


def _case_test(
    run: StoredRun,
    arm: Arm,
    case: str,
    trial: int,
    passed: bool | None,
    passed_before: bool | None,
    time_s: float,
) -> _Test:
    """A trial that did not pass."""
    suite = arm.suite
    attempt = arm.attempt(case, trial)
    name = _name(case, trial)
    place = arm.place(case)
    where = f"{place}\n" if place else ""
    text = f"{where}evalkit show {run.record.id} {case}"
    if passed is None:
        message = _no_result(arm, attempt)
        return _Test(suite, name, time_s, "error", "evalkit.no_result", message, text)
    scorers = ", ".join(
        score.scorer
        for score in arm.scores(case, trial)
        if score.gate and (score.passed is False or score.state == "error")
    )
    by = f" Scorers that did not pass it: {scorers}." if scorers else ""
    mode = None if attempt is None else arm.failure_mode(attempt)
    by += f" Failure mode: {mode.value}." if mode is not None else ""
    if passed_before is False:
        message = f"The case fails, as it does in the baseline.{by}"
        return _Test(suite, name, time_s, "skipped", "evalkit.known_failure", message, text)
    message = f"The case fails{', and passed in the baseline' if passed_before else ''}.{by}"
    return _Test(suite, name, time_s, "failure", "evalkit.failed", message, text)


def _name(case: str, trial: int) -> str:
    return f"{case} [candidate, trial {trial}]"


def _no_result(arm: Arm, attempt: Attempt | None) -> str:
    if attempt is None:
        return "No result: the attempt was never made."
    mode = arm.failure_mode(attempt)
    if mode is not None:
        return f"No result: {mode.value}."
    return "No result: the attempt cannot be judged."


def _properties(run: StoredRun, snapshot: SuiteSnapshot, origins: Counter[str]) -> dict[str, str]:
    record = next((each for each in run.record.suites if each.suite == snapshot.suite), None)
    values = {
        "run": run.record.id,
        "verdict": run_mark(run.record),
        "exit_code": str(run.record.exit_code),
        "golden": snapshot.golden,
        **{f"replies.{name}": str(n) for name, n in in_order_of_origins(origins).items()},
    }
    for judge in snapshot.judges:
        standing = judge.standing.standing
        values[legal(f"judge.{judge.scorer}")] = f"{judge.rubric.ref}, {judge.asked}, {standing}"
    judging = None if record is None else record.judging
    if judging is not None:
        values["judging.judgments"] = str(judging.judgments)
        values["judging.billed_usd"] = f"{judging.billed_usd:g}"
    if snapshot.owner:
        values["owner"] = snapshot.owner
    return values


def _test_xml(test: _Test, name: str) -> str:
    attributes = _attributes(classname=test.classname, name=name, time=f"{test.time_s:.3f}")
    if test.tag is None:
        return f"    <testcase{attributes} />\n"
    told = _attributes(type=test.kind, message=test.message)
    text = _in_text(test.text)
    return (
        f"    <testcase{attributes}>\n      <{test.tag}{told}>{text}</{test.tag}>\n"
        "    </testcase>\n"
    )


def _attributes(**values: str) -> str:
    return "".join([f' {name}="{_in_attribute(value)}"' for name, value in values.items()])


def _in_text(text: str) -> str:
    text = legal(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#13;")


def _in_attribute(text: str) -> str:
    text = _in_text(text).replace('"', "&quot;")
    return text.replace("\n", "&#10;").replace("\t", "&#09;")
