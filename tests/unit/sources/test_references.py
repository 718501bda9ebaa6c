"""References: versions found where they stand, and what exists when one does not."""

from pathlib import Path

import pytest

from evalkit.sources.references import GOLDEN_SETS, PROMPTS, RUBRICS, UnknownReference
from evalkit.sources.tree import WorkingTree


@pytest.fixture
def tree(tmp_path: Path) -> WorkingTree:
    """Shelves with several versions, and things that look like them."""
    for path in (
        "prompts/desk/v1.yaml",
        "prompts/desk/v2.yaml",
        "prompts/desk/v10.yaml",
        "prompts/desk/v3.yml",
        "prompts/desk/V4.yaml",
        "prompts/desk/v05.yaml",
        "prompts/desk/README.md",
        "prompts/desk/.v6.yaml.swp",
        "prompts/loose.yaml",
        "rubrics/tone/v1.yaml",
        "rubrics/tone/v1.labels.jsonl",
        "goldensets/desk/v1/set.yaml",
        "goldensets/desk/v2/set.yaml",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    return WorkingTree(tmp_path)


def test_a_version_is_found_where_it_stands(tree: WorkingTree) -> None:
    assert PROMPTS.resolve(tree, "desk@v2").path == "prompts/desk/v2.yaml"
    assert GOLDEN_SETS.resolve(tree, "desk@v1").path == "goldensets/desk/v1"
    assert RUBRICS.resolve(tree, "tone@v1").reference == "tone@v1"


def test_latest_is_the_highest_number_and_not_the_last_name(tree: WorkingTree) -> None:
    assert PROMPTS.resolve(tree, "desk@latest").number == 10
    assert GOLDEN_SETS.resolve(tree, "desk@latest").number == 2


def test_a_missing_version_lists_those_that_exist(tree: WorkingTree) -> None:
    with pytest.raises(UnknownReference, match="has no version v3") as raised:
        PROMPTS.resolve(tree, "desk@v3")
    assert raised.value.expected == "one of desk@v1, desk@v2, desk@v10"


@pytest.mark.parametrize("reference", ["dask@v1", "dask@latest"])
def test_a_missing_name_lists_those_that_exist_and_what_was_meant(
    tree: WorkingTree, reference: str
) -> None:
    with pytest.raises(UnknownReference, match="no prompt 'dask'") as raised:
        PROMPTS.resolve(tree, reference)
    assert raised.value.expected == "a prompt in prompts/: desk"
    assert raised.value.suggestion == "did you mean 'desk'?"


def test_an_empty_project_has_nothing_to_find(tmp_path: Path) -> None:
    with pytest.raises(UnknownReference) as raised:
        PROMPTS.resolve(WorkingTree(tmp_path), "desk@latest")
    assert raised.value.expected == "a prompt in prompts/: none"


def test_files_that_look_like_versions_and_are_none_are_named(tree: WorkingTree) -> None:
    assert PROMPTS.strangers(tree) == [
        "prompts/desk/V4.yaml",
        "prompts/desk/v05.yaml",
        "prompts/desk/v3.yml",
        "prompts/loose.yaml",
    ]
    assert RUBRICS.strangers(tree) == []
    assert GOLDEN_SETS.strangers(tree) == []
