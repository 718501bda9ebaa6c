"""Fuzz targets of the files of a project: one of them is replaced, and all of it is loaded."""

from datetime import date
from functools import partial

import msgspec

from evalkit.errors import ConfigError
from evalkit.execute.rendering import PromptRenderer
from evalkit.records.attempt import Attempt
from evalkit.records.call import ToolCall
from evalkit.records.case import Case
from evalkit.score.judge import subject_of
from evalkit.score.judging.fencing import FencedTemplate, fence_token
from evalkit.score.judging.replies import UnreadableReply, read_reply
from evalkit.score.registry import build_scorers
from evalkit.score.scoring import score_attempt, violations
from evalkit.sources.assets import Assets, SuiteAssets, load_assets
from evalkit.sources.calibrations import read_calibration
from evalkit.sources.labels import read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.verdicts import read_verdicts
from evalkit.sources.waiver_entries import with_waiver, without_waiver
from evalkit.sources.waivers import load_waivers
from evalkit.workflows.judges.checking import judge_problems
from evalkit.workflows.policy_wiring import policy_problems
from tests.faults.fuzzing.memory_tree import DATA, PROJECT, MemoryTree, changed
from tests.faults.fuzzing.target import Finding, Target

REPLIES = (
    '{"answer": "yes"}',
    '{"answer": 1e308, "amount": 1e308, "parts": [1, 1.0, true], "x-a": [], "when": "x"}',
    "no JSON",
)
_VERDICTS = b'{"id":"a","verdict":"pass","reason":"kind"}\n{"id":"b","verdict":"fail"}\n'
_TABLE = b"id,verdict,reason\na,pass,kind\nb,fail,\n"


def load(tree: MemoryTree) -> Assets:
    """All that `evalkit check` reads of a project."""
    assets = load_assets(tree)
    problems = [
        *judge_problems(tree, assets.config, assets.suites),
        *policy_problems(assets.config.routes, assets.policy_code),
    ]
    if errors := [each for each in problems if each.severity == "error"]:
        raise ConfigError(errors)
    return assets


def use(assets: Assets) -> None:
    """What a run does with it short of asking a model: prompts, judges' prompts, scores."""
    for suite in assets.suites.values():
        scorers = build_scorers(suite.suite.scorers, suite.schemas, suite.rubrics)
        for case in suite.golden.cases:
            _render(suite, case)
            for reply in REPLIES:
                attempt = attempt_at(case, reply)
                score_attempt(scorers, attempt, case)
                violations(attempt, case)


def attempt_at(case: Case, output: str) -> Attempt:
    """An answer to a case, with a tool call."""
    return Attempt(
        at="2026-11-24T12:00:00Z",
        variant="candidate",
        suite="ask",
        case=case.id,
        trial=1,
        key="k",
        state="answered",
        model="tiny",
        planned_model="tiny",
        output=output,
        tool_calls=(ToolCall(name="look_up", arguments={"order_id": "A-1"}, id="1"),),
    )


def _render(suite: SuiteAssets, case: Case) -> None:
    if suite.prompt is not None:
        renderer = PromptRenderer(suite.prompt)
        renderer.messages(case, case.documents)
        if suite.prompt.retrieve is not None:
            renderer.query(case)
    for rubric in suite.rubrics.values():
        subject = subject_of(attempt_at(case, REPLIES[0]), case, rubric)
        FencedTemplate(rubric).render(subject, fence_token(subject))


def _read_file(path: str, raw: bytes) -> None:
    use(load(changed(path, raw)))


def _read_cases(path: str, raw: bytes) -> None:
    """No line vanishes: a set that loads has a case for every line that holds anything."""
    assets = load(changed(path, raw))
    lines = sum(1 for line in raw.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())
    if assets.suites["ask"].golden.count != lines:
        raise Finding(f"{lines} lines are {assets.suites['ask'].golden.count} cases")
    use(assets)


def _read_waivers(raw: bytes) -> None:
    tree = changed("waivers.yaml", raw)
    found = load_waivers(tree, suites=["ask", "help"], today=date(2026, 11, 29))
    for waiver in found:
        with_waiver(without_waiver(raw, waiver.id), waiver)


def _read_labels(raw: bytes) -> None:
    path = "rubrics/tone/v1.labels.jsonl"
    tree = changed(path, raw)
    read_labels(tree, read_rubric(tree, "tone@v1"))


def _calibration(raw: bytes) -> None:
    tree = changed("rubrics/tone/v1.calibration.json", raw)
    read_calibration(tree, read_rubric(tree, "tone@v1"))
    load(tree)  # it is stale: the judge of this project was never measured


def _read_verdicts(name: str, raw: bytes) -> None:
    tree = changed(name, raw)
    read_verdicts(tree, name, read_rubric(tree, "tone@v1"))


def _read_answer(raw: bytes) -> None:
    """What a model wrote, held against every scorer of the suites; no text breaks one."""
    text = raw.decode("utf-8", "replace")
    for suite in _LOADED.suites.values():
        scorers = build_scorers(suite.suite.scorers, suite.schemas, suite.rubrics)
        for case in suite.golden.cases:
            attempt = attempt_at(case, text)
            msgspec.json.encode(score_attempt(scorers, attempt, case))
        for rubric in suite.rubrics.values():
            try:
                read_reply(rubric, text)
            except UnreadableReply:
                continue


def _file(name: str, path: str) -> Target:
    return Target(name, lambda: [PROJECT[path]], partial(_read_file, path))


_LOADED = load(MemoryTree(PROJECT))
_CASES = "goldensets/ask/v1/cases.jsonl"

TARGETS = (
    _file("config", "evalkit.yaml"),
    _file("set", "goldensets/ask/v1/set.yaml"),
    Target("cases", lambda: [PROJECT[_CASES]], partial(_read_cases, _CASES)),
    _file("cases_yaml", "goldensets/help/v1/cases.yaml"),
    _file("prompt", "prompts/ask/v1.yaml"),
    _file("agent", "agents/helper/v1.yaml"),
    _file("rubric", "rubrics/tone/v1.yaml"),
    _file("schema", "schemas/answer.json"),
    _file("tool", "tools/look_up.json"),
    _file("rego", "policies/limits.rego"),
    _file("knowledge", "knowledge/faq/orders.md"),
    Target("waivers", lambda: [PROJECT["waivers.yaml"]], _read_waivers),
    Target("labels", lambda: [PROJECT["rubrics/tone/v1.labels.jsonl"]], _read_labels),
    Target("calibration", lambda: [(DATA / "seeds/calibration.json").read_bytes()], _calibration),
    Target("verdicts", lambda: [_VERDICTS], partial(_read_verdicts, "verdicts.jsonl")),
    Target("verdicts_csv", lambda: [_TABLE], partial(_read_verdicts, "verdicts.csv")),
    Target("answer", lambda: [text.encode() for text in REPLIES], _read_answer),
)
