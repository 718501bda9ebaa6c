"""Which files a program's behaviour is known to rest on."""

from pathlib import Path
from typing import Any

import pytest

from evalkit.config.document import Document
from evalkit.config.problems import Locator
from evalkit.config.targets import CommandTarget, HttpTarget, PythonTarget
from evalkit.config.yaml_document import parse_yaml
from evalkit.sources.programs import load_program
from evalkit.sources.reading import Reader
from evalkit.sources.tree import WorkingTree

FILES = {
    "app/__init__.py": "",
    "app/agent.py": "import json\nfrom app import tools\nfrom .prompts import text\nimport helper",
    "app/tools.py": "from app.deep.er import thing",
    "app/prompts.py": "def broken(:",
    "app/deep/__init__.py": "",
    "app/deep/er.py": "import app.agent",
    "app/unused.py": "",
    "helper.py": "",
    "src/lib/core.py": "from lib import other",
    "src/lib/other.py": "",
    "bin/run.py": "import beside",
    "bin/beside.py": "",
    "data/a.json": "1",
    "data/more/b.json": "2",
    "data/.hidden.json": "3",
    "notes.txt": "",
}


@pytest.fixture
def files(tmp_path: Path) -> Any:
    """Digests and problems of a target's settings over the files above."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    def load(kind: str, target: Any) -> tuple[set[str], list[str]]:
        reader = Reader(WorkingTree(tmp_path))
        document: Document = parse_yaml(b"suites: {}\n", "evalkit.yaml")
        digests = load_program(reader, Locator(document), ("suites", "s", "target", kind), target)
        assert all(value.startswith("sha256:") for value in digests.values())
        return set(digests), [str(problem) for problem in reader.problems]

    return load


def test_a_function_rests_on_the_modules_of_the_project_that_it_imports(files: Any) -> None:
    found, problems = files("python", PythonTarget(call="app.agent:answer"))
    assert found == {
        "target.python",
        "app/__init__.py",
        "app/agent.py",
        "app/tools.py",
        "app/prompts.py",
        "app/deep/__init__.py",
        "app/deep/er.py",
        "helper.py",
    }
    assert problems == []


def test_modules_may_stand_in_src(files: Any) -> None:
    found, _ = files("python", PythonTarget(call="lib.core:answer"))
    assert found == {"target.python", "src/lib/core.py", "src/lib/other.py"}


def test_a_command_rests_on_the_files_that_it_names(files: Any) -> None:
    argv = ["python3", "./bin/run.py", "--notes", "notes.txt", "/etc/passwd", "../x", "http://a/b"]
    found, _ = files("command", CommandTarget(argv=argv))
    assert found == {"target.command", "bin/run.py", "bin/beside.py", "notes.txt"}


@pytest.mark.parametrize(
    ("glob", "matched"),
    [
        ("data/*.json", {"data/a.json"}),
        ("data/**/*.json", {"data/a.json", "data/more/b.json"}),
        ("data/**", {"data/a.json", "data/more/b.json"}),
        ("data/?.json", {"data/a.json"}),
        ("**/b.json", {"data/more/b.json"}),
        ("notes.txt", {"notes.txt"}),
    ],
)
def test_globs_stay_within_a_folder_unless_they_say_otherwise(
    files: Any, glob: str, matched: set[str]
) -> None:
    found, problems = files("python", PythonTarget(call="helper:answer", files=[glob]))
    assert found == {"target.python", "helper.py", *matched}
    assert problems == []


def test_what_is_missing_is_told(files: Any) -> None:
    _, problems = files("python", PythonTarget(call="no.where:answer", files=["*.csv"]))
    assert any("there is no module no.where" in each for each in problems)
    assert any("no file matches" in each for each in problems)


def test_how_long_and_how_many_is_no_part_of_what_is_tested(tmp_path: Path) -> None:
    reader = Reader(WorkingTree(tmp_path))
    locator = Locator(parse_yaml(b"{}\n", "evalkit.yaml"))
    at = ("suites", "s", "target", "http")
    url = "http://127.0.0.1:1/"
    targets = [
        HttpTarget(url=url),
        HttpTarget(url=url, timeout_s=5),
        HttpTarget(url=url + "v2"),
    ]
    plain, slow, other = (load_program(reader, locator, at, each) for each in targets)
    assert plain == slow
    assert plain != other
