"""A project of a stranger: whatever its names and links say, nothing outside of it is touched."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Ask, Gated
from tests.cli.project import ProjectFiles
from tests.faults.fuzzing.memory_tree import DATA

SECRET = "a secret of the machine"
NAMES = ("../evil", "a\x00b", "--output=/tmp/evil")
VERBS: tuple[tuple[str, ...], ...] = (
    ("check",),
    ("run", "--quiet"),
    ("show",),
    ("score",),
    ("golden", "freeze", "ask@v1"),
    ("schema", "--write"),
    ("trace", "list"),
)


def seen(folder: Path, *, but: Path) -> dict[str, Any]:
    """Every file below a folder that is not in the project, with what it holds."""
    return {
        str(path): path.read_bytes() if path.is_file() else sorted(p.name for p in path.iterdir())
        for path in sorted(folder.rglob("*"))
        if but not in path.parents and path != but
    }


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the project, with files that are nobody's business."""
    folder = tmp_path / "outside"
    (folder / "deep").mkdir(parents=True)
    for name in ("file", "deep/file", "run.json", "ask.jsonl"):
        (folder / name).write_text(f'{{"{SECRET}": 1}}\n')
    return folder


@pytest.fixture
def stored(gated: Gated, tmp_path: Path) -> Gated:
    """A project with stored runs, to be spoilt."""
    root = tmp_path / "project"
    shutil.copytree(gated.root, root)
    return Gated(root, gated.failed, gated.passed)


@pytest.mark.parametrize(
    "link",
    [
        ".evalkit",
        ".evalkit/runs",
        ".evalkit/history.db",
        ".evalkit/cache.sqlite3",
        ".evalkit/last.json",
        ".evalkit/traces",
        ".evalkit/audit",
        ".evalkit/schema",
        ".evalkit/schema/evalkit.schema.json",
        "scripted",
        "scripted/ask.jsonl",
        "prompts",
        "prompts/ask/v1.yaml",
        "goldensets",
        "goldensets/ask/v1",
        "goldensets/ask/v1/set.yaml",
        "goldensets/ask/v1/cases.jsonl",
        "waivers.yaml",
        "evalkit.yaml",
    ],
)
def test_what_a_link_leads_to_is_neither_shown_nor_written(
    ask: Ask, stored: Gated, outside: Path, link: str
) -> None:
    place = stored.root / link
    target = outside / ("deep" if place.is_dir() or place.suffix == "" else "file")
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(target)
    before = seen(outside.parent, but=stored.root)
    for verb in VERBS:
        said = ask(*verb, cwd=stored.root)
        assert said.code in (0, 1, 2, 3, 4), (verb, said.err)
        assert SECRET not in said.out + said.err, verb
    assert seen(outside.parent, but=stored.root) == before


@pytest.mark.parametrize("link", ["recordings", "recordings/tiny", "recordings/tiny/ask.jsonl"])
def test_recordings_stay_in_their_project(
    ask: Ask, tmp_path: Path, outside: Path, link: str
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=2)
    project.config["providers"]["hosted"] = {
        "kind": "openai",
        "api_key_env": "NO_KEY",
        "recordings": "recordings",
    }
    project.config["models"]["tiny"]["provider"] = "hosted"
    project.write()
    place = project.root / link
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(outside / "ask.jsonl" if place.suffix else outside)
    before = seen(tmp_path, but=project.root)
    for verb in (("run", "--quiet"), ("plan",), ("record", "ask")):
        said = ask(*verb, cwd=project.root)
        assert said.code == 2 or verb == ("plan",), (verb, said)
        assert SECRET not in said.out + said.err
    assert seen(tmp_path, but=project.root) == before


def _suite(project: ProjectFiles, name: str) -> None:
    project.config["suites"] = {name: project.config["suites"]["ask"]}


def _golden(project: ProjectFiles, name: str) -> None:
    project.suite["golden"] = f"{name}@v1"


def _prompt(project: ProjectFiles, name: str) -> None:
    project.suite["target"] = {"prompt": f"{name}@v1"}


def _schema(project: ProjectFiles, name: str) -> None:
    project.suite["scorers"] = [{"json_schema": name}]


def _script(project: ProjectFiles, name: str) -> None:
    project.config["providers"]["scripts"]["path"] = f"{name}/{{suite}}.jsonl"


def _index(project: ProjectFiles, name: str) -> None:
    project.config["indexes"] = {"faq": {"folder": name}}


def _model(project: ProjectFiles, name: str) -> None:
    project.config["models"] = {name: project.config["models"]["tiny"]}
    project.route["models"]["primary"] = name


def _case(project: ProjectFiles, name: str) -> None:
    project.case_changes = {0: {"id": name}}


def _tag(project: ProjectFiles, name: str) -> None:
    project.case_changes = {0: {"tags": [name], "group": name}}


def _baseline(project: ProjectFiles, name: str) -> None:
    project.suite["baseline"] = name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "place", [_suite, _golden, _prompt, _schema, _script, _index, _model, _case, _tag, _baseline]
)
def test_a_name_with_a_path_in_it_leads_nowhere(
    ask: Ask, tmp_path: Path, outside: Path, place: Callable[[ProjectFiles, str], None], name: str
) -> None:
    project = ProjectFiles(tmp_path / "project", cases=2)
    place(project, name)
    project.write()
    before = seen(tmp_path, but=project.root)
    for verb in (("check",), ("run", "--quiet")):
        said = ask(*verb, cwd=project.root)
        assert said.code in (0, 1, 2, 3, 4), (verb, said.err)
        assert "\x00" not in said.out + said.err
        assert SECRET not in said.out + said.err
    assert seen(tmp_path, but=project.root) == before
    assert not Path("/tmp/evil").exists()


def test_labels_are_written_beside_their_rubric_and_nowhere_else(
    ask: Ask, tmp_path: Path, outside: Path
) -> None:
    root = tmp_path / "project"
    shutil.copytree(DATA / "project", root)
    sheet = root / "labels.csv"
    sheet.write_text('input,output,label\n"{""question"": ""a""}",yes,pass\n')
    told = ("--import", str(sheet), "--labeller", "lea", "--by", "person")
    labels = root / "rubrics/tone/v1.labels.jsonl"
    for link, target in ((labels, outside / "file"), (labels.parent, outside / "deep")):
        shutil.rmtree(link) if link.is_dir() else link.unlink()
        link.symlink_to(target)
        before = seen(tmp_path, but=root)
        for reference in ("tone@v1", "../tone@v1", "/tone@v1", "tone/../tone@v1"):
            said = ask("judge", "label", reference, *told, cwd=root)
            assert said.code == 2, said
            assert SECRET not in said.out + said.err
        assert seen(tmp_path, but=root) == before


def test_a_script_that_nobody_writes_to_is_refused_at_once(ask: Ask, tmp_path: Path) -> None:
    project = ProjectFiles(tmp_path / "project", cases=2).write()
    script = project.root / "scripted/ask.jsonl"
    script.unlink()
    os.mkfifo(script)
    said = ask("run", "--quiet", cwd=project.root)
    assert said.code == 2
    assert "no regular file" in said.err
