"""What is to be labelled: by whom, from where, and what is left of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import UsageError
from evalkit.records.run import StoredRun
from evalkit.sources.labels import read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.journal import JUDGMENTS
from evalkit.store.labels import rubric_labels, run_labels
from evalkit.store.runs import RunStore
from evalkit.store.spot_checks import SpotChecks
from evalkit.workflows.judges.label_work import (
    LabelRequest,
    OpenedWork,
    labeller_of,
    open_work,
    read_disagreements,
)
from evalkit.workflows.judges.labelling import Session, label_items
from tests.labelled import item, label, write_rubric
from tests.unit.workflows.judges.desks import ScriptedDesk, noon
from tests.unit.workflows.judges.run_samples import stored_run

PATH = "rubrics/tone/v1.labels.jsonl"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the rubric tone@v1."""
    write_rubric(tmp_path)
    return tmp_path


def opened(root: Path, **changes: Any) -> OpenedWork:
    request = {"rubric": "tone@v1", "labeller": "Ana", "by": "person"} | changes
    return open_work(root, LabelRequest(**request))


def outputs(found: OpenedWork) -> list[Any]:
    return [each.subject.output for each in found.work.items]


def go_on(found: OpenedWork, *keys: str) -> None:
    label_items(Session(found.work), desk=ScriptedDesk(*keys), book=found.book, now=noon)


def store(root: Path, run: StoredRun) -> Path:
    """Write a run as its bundle."""
    bundle = RunStore(root).create(run.record)
    for snapshot in run.snapshots:
        bundle.write_snapshot(snapshot)
    with bundle.journal() as journal:
        for attempt in run.attempts:
            journal.append(attempt)
    lines = [msgspec.json.encode(judgment) + b"\n" for judgment in run.judgments]
    (bundle.path / JUDGMENTS).write_bytes(b"".join(lines))
    return bundle.path


def judged_run() -> StoredRun:
    texts = [f"reply {number}" for number in range(40)]
    return stored_run({"candidate": texts}, {"candidate": [n > 5 for n in range(40)]})


def test_nothing_to_label_says_where_to_get_something(root: Path) -> None:
    with pytest.raises(UsageError, match=r"--run latest, --spot-checks, --import FILE"):
        opened(root)


def test_items_without_a_label_wait_in_an_order_of_the_labellers_own(root: Path) -> None:
    items = [item(f"reply {number}") for number in range(20)]
    rubric_labels(root, PATH).put([*items, item("done", label(labeller="Bo"))])
    mine, theirs = outputs(opened(root)), outputs(opened(root, labeller="Cy"))
    assert sorted(mine) == sorted(theirs) == sorted(each.subject.output for each in items)
    assert mine != theirs and mine == outputs(opened(root))
    assert outputs(opened(root, count=3)) == mine[:3]


def test_the_same_command_goes_on_where_it_was_left(root: Path) -> None:
    rubric_labels(root, PATH).put([item("a"), item("b"), item("c")])
    first = opened(root)
    go_on(first, "p", "s", "q")
    assert outputs(opened(root)) == outputs(first)[1:]


def test_a_sample_of_a_run_is_labelled_into_the_run_and_beside_the_rubric(root: Path) -> None:
    bundle = store(root, judged_run())
    found = opened(root, run="latest", count=10)
    assert len(found.work.items) == 10
    go_on(found, "p", "f")
    kept = run_labels(bundle)
    assert [each.truth for each in kept] == [True, False]
    assert {each.weight for each in kept} <= {6 / 5, 34 / 5}
    assert {each.weight for each in found.work.items} == {6 / 5, 34 / 5}
    assert [each.id for each in rubric_labels_of(root)] == [each.id for each in kept]
    assert outputs(opened(root, run="latest", count=10)) == outputs(found)[2:]
    go_on(opened(root, run="latest", count=10), *"p" * 8)
    done = opened(root, run="latest", count=10)
    assert outputs(done) == [] and "all 10 outputs of the sample are labelled" in done.empty


def rubric_labels_of(root: Path) -> list[Any]:
    tree = WorkingTree(root)
    return list(read_labels(tree, read_rubric(tree, "tone@v1")))


def test_a_larger_sample_weighs_what_was_labelled_anew(root: Path) -> None:
    bundle = store(root, judged_run())
    go_on(opened(root, run="latest", count=2), "p", "p")
    assert {each.weight for each in run_labels(bundle)} == {6.0, 34.0}
    assert {each.weight for each in rubric_labels_of(root)} == {6.0, 34.0}
    opened(root, run="latest", count=40)
    assert {each.weight for each in run_labels(bundle)} == {1.0}
    assert {each.weight for each in rubric_labels_of(root)} == {1.0}


def test_labels_that_outputs_of_a_run_have_already_count_for_it(root: Path) -> None:
    run = judged_run()
    (known,) = [each for each in opened_items(root, run) if each.source["case"] == "m003"]
    rubric_labels(root, PATH).put([msgspec.structs.replace(known, labels=(label(),), weight=1.0)])
    bundle = RunStore(root).open("latest").path
    found = opened(root, run="latest", count=40)
    assert len(found.work.items) == 39
    assert [each.truth for each in run_labels(bundle)] == [True]


def opened_items(root: Path, run: StoredRun) -> list[Any]:
    store(root, run)
    return list(opened(root, run="latest", count=40).work.items)


def test_a_second_labeller_gets_what_others_labelled_and_never_their_own(root: Path) -> None:
    rubric_labels(root, PATH).put(
        [
            item("mine", label()),
            item("theirs", label(labeller="Bo")),
            item("both", label(labeller="Bo"), label()),
            item("two", label(labeller="Bo"), label(labeller="Cy")),
            item("none"),
            item(
                "decided",
                label(labeller="Bo"),
                label(False, "Cy"),
                label(labeller="Di", round="adjudication"),
            ),
        ]
    )
    assert outputs(opened(root, second=True)) == ["theirs", "two"]
    found = opened(root, second=True, labeller="Bo")
    assert outputs(found) == ["mine"]
    go_on(found, "f")
    assert "second one" in opened(root, second=True, labeller="Bo").empty


def test_a_second_labeller_of_a_run_gets_its_sample(root: Path) -> None:
    bundle = store(root, judged_run())
    assert outputs(opened(root, run="latest", count=10, second=True)) == []
    go_on(opened(root, run="latest", count=10), "p", "p", "p")
    found = opened(root, run="latest", count=10, second=True, labeller="Bo")
    assert len(found.work.items) == 3
    go_on(found, "f", "f", "f")
    assert [len(each.labels) for each in run_labels(bundle)] == [2, 2, 2]


def test_disputed_items_wait_for_an_adjudicator(root: Path) -> None:
    disputed = item("b", label(), label(False, "Bo"))
    rubric_labels(root, PATH).put([item("a", label(), label(labeller="Bo")), disputed])
    assert read_disagreements(root, "tone@v1")[1] == (disputed,)
    found = opened(root, adjudicate=True, labeller="Cy")
    assert found.work.items == [disputed] and found.work.adjudicates
    go_on(found, "p")
    assert read_disagreements(root, "tone")[1] == ()
    assert "no labels differ" in opened(root, adjudicate=True).empty


def test_spot_checks_are_labelled_and_those_that_are_labelled_leave_the_queue(root: Path) -> None:
    queue = SpotChecks(root)
    queue.put("tone@v1", [item("a", weight=3.0), item("b"), item("c")])
    rubric_labels(root, PATH).put([item("b", label(labeller="Bo"))])
    found = opened(root, spot_checks=True)
    assert sorted(outputs(found)) == ["a", "c"]
    assert [each.subject.output for each in queue.waiting("tone@v1")] == ["a", "c"]
    go_on(found, "p", "p")
    assert queue.waiting("tone@v1") == ()
    assert "no spot check waits" in opened(root, spot_checks=True).empty


def test_the_guideline_beside_the_rubric_is_found(root: Path) -> None:
    rubric_labels(root, PATH).put([item("a")])
    assert opened(root).work.guideline is None
    (root / "rubrics/tone/v1.guideline.md").write_text("Be kind.\n", encoding="utf-8")
    assert opened(root).work.guideline == "Be kind.\n"


def test_the_labeller_is_named_by_flag_environment_or_git(tmp_path: Path) -> None:
    assert labeller_of(tmp_path, " Ana  Lopez ", {"EVALKIT_LABELLER": "Bo"}) == "Ana Lopez"
    assert labeller_of(tmp_path, None, {"EVALKIT_LABELLER": "Bo"}) == "Bo"
    for bad in ("", "  ", "x" * 101, "a\x1bb"):
        with pytest.raises(UsageError, match=r"--labeller NAME, or EVALKIT_LABELLER"):
            labeller_of(tmp_path, bad, {})
