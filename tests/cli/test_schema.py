"""`evalkit schema`: schemas that are schemas, and that evalkit's own files satisfy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from evalkit.config.yaml_document import parse_yaml
from tests.cli.conftest import Ask, Gated

ROOT = Path(__file__).resolve().parents[2]

Schemas = dict[str, Draft202012Validator]


@pytest.fixture
def schemas(ask: Ask) -> Schemas:
    said = ask("schema")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    for schema in found.values():
        Draft202012Validator.check_schema(schema)
    return {name: Draft202012Validator(schema) for name, schema in found.items()}


def test_there_is_one_for_every_file(schemas: Schemas) -> None:
    project = {"evalkit", "prompt", "agent", "goldenset", "case", "rubric", "tool", "waivers"}
    assert set(schemas) == project | {"run"}


def files_of_the_repository() -> Iterator[tuple[str, str, Any]]:
    """Every file that a schema describes: the schema's name, the path, the content as data."""
    patterns = {
        "evalkit": "evalkit.yaml",
        "prompt": "prompts/*/*.yaml",
        "agent": "agents/*/*.yaml",
        "goldenset": "goldensets/*/*/set.yaml",
        "rubric": "rubrics/*/*.yaml",
    }
    for name, pattern in patterns.items():
        for path in sorted(ROOT.glob(pattern)):
            shown = path.relative_to(ROOT).as_posix()
            yield name, shown, parse_yaml(path.read_bytes(), shown).data
    for path in sorted(ROOT.glob("tools/*.json")):
        yield "tool", path.name, json.loads(path.read_text())
    example = re.search(r"```yaml\n(waivers:.*?)```", (ROOT / "docs/waivers.md").read_text(), re.S)
    assert example is not None
    yield "waivers", "docs/waivers.md", parse_yaml(example[1].encode(), "waivers.yaml").data
    for path in sorted(ROOT.glob("goldensets/*/*/cases.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            yield "case", f"{path.parent.parent.name}:{number}", json.loads(line)


def test_the_repositorys_own_files_satisfy_them(schemas: Schemas) -> None:
    wrong = {
        f"{name} {path}": error.message
        for name, path, data in files_of_the_repository()
        if (error := next(schemas[name].iter_errors(data), None)) is not None
    }
    assert wrong == {}
    assert {name for name, _, _ in files_of_the_repository()} == set(schemas) - {"run"}


def test_an_unknown_key_does_not_satisfy_them(schemas: Schemas) -> None:
    seen = set()
    for name, path, data in files_of_the_repository():
        if name not in seen:
            seen.add(name)
            assert not schemas[name].is_valid({**data, "expcted": 1}), path


def test_a_real_run_satisfies_its_schema(schemas: Schemas, gated: Gated) -> None:
    for run in (gated.failed, gated.passed):
        record = json.loads((gated.bundle(run) / "run.json").read_text())
        schemas["run"].validate(record)
        assert not schemas["run"].is_valid({**record, "state": "perhaps"})
        assert not schemas["run"].is_valid({k: v for k, v in record.items() if k != "exit_code"})


def test_they_are_written_where_the_first_lines_of_files_look(ask: Ask, gated_copy: Gated) -> None:
    said = ask("schema", "--write", cwd=gated_copy.root / "prompts")
    assert (said.code, said.out) == (0, "")
    first = (ROOT / "evalkit.yaml").read_text().splitlines()[0]
    written = gated_copy.root / first.partition("$schema=")[2]
    assert json.loads(written.read_text()) == json.loads(ask("schema", "evalkit").out)


def test_an_unknown_name_is_refused_with_those_there_are(ask: Ask) -> None:
    said = ask("schema", "nope")
    assert (said.code, said.out) == (2, "")
    assert "goldenset" in said.err
