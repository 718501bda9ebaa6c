"""`junit.xml` in the xunit2 shape, for what CI systems show beside a build.

No text of a model, a scorer or a server is in it: messages are fixed, and names are the project's.
A candidate's case that fails is a failure where the baseline passed it or there is none. One that
failed before as well is skipped with its reason, as pytest reports an expected failure, so that a
passing gate is no red build. An attempt without a result is an error.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from evalkit.records.attempt import Attempt
from evalkit.records.run import StoredRun, SuiteSnapshot
from evalkit.records.verdict import Outcome, PartVerdict, SuiteVerdict
from evalkit.report.arms import Arm, Modes, Passes, build_arm, count_origins
from evalkit.report.headline import run_mark
from evalkit.report.marks import MARKS
from evalkit.report.pairing import Results

# what XML 1.0 cannot hold, not even as a reference
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Test:
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
    root = ElementTree.Element("testsuites", name="evalkit")
    sums = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    total_s = 0.0
    for snapshot in run.snapshots:
        cases = _case_tests(run, snapshot, passes, modes)
        tests = _unique([*_gate_tests(run, snapshot.suite), *cases])
        counts = _counts(tests)
        for name, number in counts.items():
            sums[name] += number
        time_s = sum(test.time_s for test in tests)
        total_s += time_s
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            {
                "name": legal(snapshot.suite),
                **{name: str(number) for name, number in counts.items()},
                "time": f"{time_s:.3f}",
                "timestamp": legal(run.record.started_at),
                "hostname": legal(hostname),
            },
        )
        _add_properties(suite, run, snapshot)
        for test in tests:
            _add_test(suite, test)
    for name, number in sums.items():
        root.set(name, str(number))
    root.set("time", f"{total_s:.3f}")
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"


def legal(text: str) -> str:
    """The text with every character that XML cannot hold replaced by U+FFFD."""
    return _ILLEGAL.sub("\ufffd", text)


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


def _case_tests(
    run: StoredRun, snapshot: SuiteSnapshot, passes: Passes, modes: Modes | None
) -> Iterator[_Test]:
    after = build_arm(run, snapshot, "candidate", passes, modes)
    before = build_arm(run, snapshot, "baseline", passes) if snapshot.has_baseline else None
    for case in after.cases:
        passed_before = None if before is None else _any_passed(before.passed[case])
        own = after.passed[case][: after.trials]
        for trial, passed in enumerate(own, start=1):
            yield _case_test(run, after, case, trial, passed, passed_before)


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
) -> _Test:
    suite = arm.snapshot.suite
    attempt = arm.attempt(case, trial)
    name = f"{case} [candidate, trial {trial}]"
    latency = attempt.latency_s if attempt is not None else None
    time_s = latency or 0.0
    if passed:
        return _Test(suite, name, time_s)
    place = arm.place(case)
    where = f"{place}\n" if place else ""
    text = f"{where}evalkit show {run.record.id} {case}"
    if passed is None:
        message = _no_result(arm, attempt)
        return _Test(suite, name, time_s, "error", "evalkit.no_result", message, text)
    scorers = ", ".join(
        score.scorer
        for score in arm.scores.get((case, trial), ())
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


def _no_result(arm: Arm, attempt: Attempt | None) -> str:
    if attempt is None:
        return "No result: the attempt was never made."
    mode = arm.failure_mode(attempt)
    if mode is not None:
        return f"No result: {mode.value}."
    return "No result: the attempt cannot be judged."


def _unique(tests: list[_Test]) -> list[_Test]:
    """The tests with names that stay apart once illegal characters are replaced."""
    seen: dict[tuple[str, str], int] = {}
    unique = []
    for test in tests:
        key = legal(test.classname), legal(test.name)
        seen[key] = seen.get(key, 0) + 1
        name = test.name if seen[key] == 1 else f"{test.name} ({seen[key]})"
        unique.append(
            _Test(test.classname, name, test.time_s, test.tag, test.kind, test.message, test.text)
        )
    return unique


def _counts(tests: list[_Test]) -> dict[str, int]:
    tags = [test.tag for test in tests]
    return {
        "tests": len(tests),
        "failures": tags.count("failure"),
        "errors": tags.count("error"),
        "skipped": tags.count("skipped"),
    }


def _add_properties(suite: ElementTree.Element, run: StoredRun, snapshot: SuiteSnapshot) -> None:
    attempts = [attempt for attempt in run.attempts if attempt.suite == snapshot.suite]
    record = next((each for each in run.record.suites if each.suite == snapshot.suite), None)
    values = {
        "run": run.record.id,
        "verdict": run_mark(run.record),
        "exit_code": str(run.record.exit_code),
        "golden": snapshot.golden,
        **{f"replies.{name}": str(n) for name, n in count_origins(attempts).items()},
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
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=name, value=legal(value))


def _add_test(suite: ElementTree.Element, test: _Test) -> None:
    element = ElementTree.SubElement(
        suite,
        "testcase",
        classname=legal(test.classname),
        name=legal(test.name),
        time=f"{test.time_s:.3f}",
    )
    if test.tag is not None:
        child = ElementTree.SubElement(
            element, test.tag, type=test.kind, message=legal(test.message)
        )
        child.text = legal(test.text)
