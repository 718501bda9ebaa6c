"""A frozen rubric keeps its content, and its file keeps everything else."""

from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.workflows.judges.freezing import freeze_rubric
from tests.unit.workflows.judges.judged_project import JudgedProject, project_of

FILE = "rubrics/tone/v1.yaml"


@pytest.fixture
def project(tmp_path: Path) -> JudgedProject:
    """A project whose rubric is not frozen."""
    return project_of(tmp_path)


def test_freezing_adds_one_line_and_keeps_the_rest(project: JudgedProject) -> None:
    path = project.root / FILE
    before = path.read_text()
    rubric = freeze_rubric(project.root, "tone@v1")
    assert path.read_text() == f"{before}digest: {rubric.digest}\n"
    assert before.startswith("# who reviews it")


def test_freezing_twice_changes_nothing_more(project: JudgedProject) -> None:
    first = freeze_rubric(project.root, "tone")
    text = (project.root / FILE).read_text()
    again = freeze_rubric(project.root, "tone@latest")
    assert (again.digest, again.frozen) == (first.digest, True)
    assert (project.root / FILE).read_text() == text


def test_a_frozen_rubric_that_changed_cannot_be_frozen_over(project: JudgedProject) -> None:
    freeze_rubric(project.root, "tone@v1")
    path = project.root / FILE
    path.write_text(path.read_text().replace("It is kind.", "It is short."))
    changed = path.read_text()
    with pytest.raises(ConfigError, match=r"rubrics/tone/v2\.yaml"):
        freeze_rubric(project.root, "tone@v1")
    assert path.read_text() == changed


def test_what_shapes_no_judgment_may_change_after_freezing(project: JudgedProject) -> None:
    digest = freeze_rubric(project.root, "tone@v1").digest
    path = project.root / FILE
    path.write_text(path.read_text() + "owner: somebody-else\n")
    assert freeze_rubric(project.root, "tone@v1").digest == digest


def test_a_file_in_which_a_line_at_the_end_is_no_key_is_left_alone(
    project: JudgedProject,
) -> None:
    path = project.root / FILE
    path.write_text(path.read_text() + "description: |\n  It ends\n---\n")
    before = path.read_text()
    with pytest.raises(ConfigError):
        freeze_rubric(project.root, "tone@v1")
    assert path.read_text() == before


def test_a_rubric_that_is_not_there_is_refused_with_those_that_are(
    project: JudgedProject,
) -> None:
    with pytest.raises(ConfigError, match="tone"):
        freeze_rubric(project.root, "tune@v1")
