"""Calibrated projects for tests of runs with judges: recorded ones, and ones that ask a server."""

import io
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.cli.main import run as run_command
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabellerKind
from evalkit.records.subject import subject_id
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.labels import append_run_labels
from evalkit.store.runs import RunStore
from evalkit.workflows.judges.label_work import LabelRequest, open_work
from evalkit.workflows.judges.sampling import sample_run
from tests.cli.conftest import Ask, Said
from tests.cli.judged import JudgedProject, Quality, reply
from tests.servers.openai_server import OpenAIServer, SeenRequest

CALIBRATION = "rubrics/tone/v1.calibration.json"
LABELS = "rubrics/tone/v1.labels.jsonl"
VERDICTS = "rubrics/tone/v1.verdicts.jsonl"
RUBRIC = "rubrics/tone/v1.yaml"
Edit = Callable[[Any], None]
"""A change of a project that was written."""
_SHOWN = re.compile(r"<<<REPLY (\w+)\n(.*?)\n\1 REPLY>>>", re.DOTALL)
_VERSION = re.compile(r"Number \d+ of v(\d)")


def worse(number: int) -> bool:
    """Of what is good by default a quarter is not: a drop of 20 points."""
    return number % 5 != 0 and number % 4 != 1


@dataclass
class ServedJudge(JudgedProject):
    """The judge is asked on route `judge`. Prompts of the suite are answered by a script."""

    url: str = "http://127.0.0.1:9/v1"
    labelled: int = 140

    def __post_init__(self) -> None:
        super().__post_init__()
        price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
        self.config["providers"]["served"] = {"kind": "openai", "base_url": self.url}
        self.config["models"]["assessor"] = {"provider": "served", "price": price}
        self.config["routes"].append(
            {"name": "judge", "models": {"primary": "assessor"}, "max_tokens": 120}
        )
        self.config["run"] = {"concurrency": 8, "timeout_s": 5.0, "retries": 0}

    @property
    def judge_route(self) -> dict[str, Any]:
        """The judge's route, to be changed."""
        route: dict[str, Any] = self.config["routes"][1]
        return route

    def rubric(self) -> dict[str, Any]:
        prompt = 'Question: {{ input.question }}\n{{ output | data("REPLY") }}\nAssess it.'
        return super().rubric() | {"judge": {"route": "judge", "prompt": prompt}}


def said(verdict: str, **more: Any) -> str:
    """A judge's reply."""
    return json.dumps({"reason": "So it is.", "evidence": "", "verdict": verdict} | more)


def shown(request: SeenRequest) -> str:
    """The output that a request asks about."""
    found = _SHOWN.search(request.prompt)
    assert found is not None, "the output is not in its fence"
    return found.group(2)


def version_of(request: SeenRequest) -> int:
    """Which prompt wrote the output: 1 or 2 in a run, 3 for what was labelled."""
    found = _VERSION.search(shown(request))
    assert found is not None, "the output is none of this project"
    return int(found.group(1))


def number_of(request: SeenRequest) -> int:
    """The case whose output a request asks about."""
    return int(shown(request).split("Number ")[1].split()[0])


def by_tone(request: SeenRequest) -> str:
    """A judge that is always right."""
    return said("pass" if "please" in shown(request) else "fail")


def of_version(version: int, answer: str) -> Callable[[SeenRequest], str]:
    """A judge that says this of what one prompt wrote, and is right about the rest."""
    return lambda request: answer if version_of(request) == version else by_tone(request)


def asked_about(server: OpenAIServer, version: int) -> Counter[str]:
    """How often each output of a prompt was asked about."""
    return Counter(shown(each) for each in server.seen if version_of(each) == version)


def calibrate(root: Path, rubric: str = "tone@v1") -> None:
    """Measure the project's judge and store it, whatever it is worth."""
    silent = io.StringIO()
    with redirect_stdout(silent), redirect_stderr(silent), chdir(root):
        code = run_command(["judge", "calibrate", rubric])
    assert code == 0, silent.getvalue()


def label_run(ask: Ask, root: Path, *, count: int, by: str = "model", good: str = "please") -> Said:
    """Label outputs of the latest run through the pipe: a good one has this word."""
    request = LabelRequest(rubric="tone@v1", labeller="t", by="model", run="latest", count=count)
    items = open_work(root, request).work.items
    keys = "".join("p\n" if good in str(item.subject.output) else "f\n" for item in items)
    before, sys.stdin = sys.stdin, io.StringIO(keys)
    try:
        arguments = ("--run", "latest", "--labeller", "t", "--by", by, "--count", str(count))
        return ask("judge", "label", "tone@v1", *arguments, cwd=root)
    finally:
        sys.stdin = before


def put_labels(root: Path, *, count: int, by: LabellerKind = "model") -> None:
    """The same without the screen: into the latest run, not beside the rubric."""
    bundle = RunStore(root).open("latest")
    rubric = read_rubric(WorkingTree(root), "tone@v1")
    items = []
    for item in sample_run(bundle.load(), rubric, count):
        good = "please" in str(item.subject.output)
        label = Label(passed=good, labeller="t", by=by, at="2026-05-04")
        items.append(msgspec.structs.replace(item, labels=(label,)))
    append_run_labels(bundle.path, items)


def latest(root: Path) -> str:
    """The id of the newest run."""
    return max(path.name for path in (root / ".evalkit/runs").iterdir())


def record_of(root: Path, run: str | None = None) -> dict[str, Any]:
    """run.json of a run, of the newest one without its id."""
    path = root / ".evalkit/runs" / (run or latest(root)) / "run.json"
    record: dict[str, Any] = json.loads(path.read_text())
    return record


def part_in(verdict: dict[str, Any], name: str = "judge tone") -> dict[str, Any]:
    """A part of the first suite's verdict."""
    parts = [part for part in verdict["suites"][0]["parts"] if part["name"] == name]
    assert len(parts) == 1, [part["name"] for part in verdict["suites"][0]["parts"]]
    found: dict[str, Any] = parts[0]
    return found


def part_of(root: Path, name: str = "judge tone", run: str | None = None) -> dict[str, Any]:
    """A part of the verdict of a run."""
    return part_in(record_of(root, run)["verdict"], name)


def judging_of(root: Path) -> dict[str, Any]:
    """What judging took in the newest run."""
    found: dict[str, Any] = record_of(root)["suites"][0]["judging"]
    return found


def id_of(project: JudgedProject, number: int, *, good: Quality, version: int) -> str:
    """The id by which a recorded verdict names the reply of a prompt to a case."""
    output = reply(number, good=good(number), version=version)
    return subject_id(Subject(input=project.case(number)["input"], output=output))


def edit_lines(
    root: Path, path: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> None:
    """Change every line of a JSON Lines file, or leave it out."""
    rows = [change(json.loads(line)) for line in (root / path).read_text().splitlines()]
    (root / path).write_text("".join(f"{json.dumps(row)}\n" for row in rows if row is not None))


def edit_json(root: Path, path: str, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a JSON file in place."""
    document = json.loads((root / path).read_text())
    change(document)
    (root / path).write_text(json.dumps(document))


def rubric_with(**changes: Any) -> Edit:
    """Replace keys of the rubric file."""
    return lambda project: project._write(RUBRIC, json.dumps(project.rubric() | changes))


def configured(project: JudgedProject) -> None:
    """Write evalkit.yaml alone."""
    project._write("evalkit.yaml", json.dumps(project.config))


def forgotten(project: JudgedProject) -> None:
    """Take the calibration away."""
    (project.root / CALIBRATION).unlink()


def changed_model(project: ServedJudge) -> None:
    """Another snapshot of the judge's model."""
    project.config["models"]["assessor"]["id"] = "assessor-2"
    configured(project)


def other_truth(project: JudgedProject) -> None:
    """Another label of one output."""
    numbers = count()

    def flip(row: dict[str, Any]) -> dict[str, Any]:
        if next(numbers) == 7:
            row["labels"][0]["passed"] = not row["labels"][0]["passed"]
        return row

    edit_lines(project.root, LABELS, flip)


def labels_of_people_wanted(project: JudgedProject) -> None:
    """A rubric that counts labels of people only."""
    rubric_with(calibration={"labelled_by": "people"})(project)


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The calibration of the recorded judge: the same for every project with its labels."""
    project = JudgedProject(tmp_path_factory.mktemp("measured") / "project", cases=1).write()
    calibrate(project.root)
    return (project.root / CALIBRATION).read_bytes()


Recorded = Callable[..., JudgedProject]


@pytest.fixture
def recorded(tmp_path: Path, measured: bytes) -> Recorded:
    """Make the project with a recorded judge that is fit; it can be changed and written again."""

    def make(**changes: Any) -> JudgedProject:
        project = JudgedProject(tmp_path / "project", **changes).write()
        (project.root / CALIBRATION).write_bytes(measured)
        return project

    return make


@pytest.fixture(scope="module")
def judge_server() -> Iterator[OpenAIServer]:
    """A server for the judges of one module."""
    server = OpenAIServer().start()
    server.answer = by_tone
    yield server
    server.stop()


@pytest.fixture(scope="module")
def asked_once(judge_server: OpenAIServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose served judge was measured and is fit, to be copied."""
    root = tmp_path_factory.mktemp("served") / "project"
    ServedJudge(root, url=judge_server.url).write()
    calibrate(root)
    return root


Served = Callable[..., ServedJudge]


@pytest.fixture
def served(judge_server: OpenAIServer, asked_once: Path, tmp_path: Path) -> Served:
    """Make the project with a served judge that is fit; the server has seen nothing yet."""
    judge_server.answer, judge_server.decide = by_tone, lambda request: None
    judge_server.seen.clear()

    def make(**changes: Any) -> ServedJudge:
        root = tmp_path / "project"
        if not root.exists():
            shutil.copytree(asked_once, root)
        project = ServedJudge(root, url=judge_server.url, **changes)
        project.write()
        return project

    return make
