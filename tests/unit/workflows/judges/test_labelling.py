"""The labelling session: blind, one label at a time, each of them safe."""

from pathlib import Path

import pytest

from evalkit.records.label import Label, LabelledItem
from evalkit.report.labelling import ItemView, render_item
from evalkit.report.screen import Screen
from evalkit.sources.labels import read_labels
from evalkit.sources.tree import WorkingTree
from evalkit.store.labels import append_run_labels, rubric_labels, run_labels
from evalkit.store.spot_checks import SpotChecks
from evalkit.workflows.judges.labelling import (
    LabelBook,
    LabelWork,
    Session,
    is_swapped,
    label_items,
)
from tests.labelled import item, label, rubric
from tests.unit.workflows.judges.desks import ScriptedDesk, noon

PATH = "rubrics/tone/v1.labels.jsonl"
AT = "2026-05-04T12:00:00+00:00"


def work(root: Path, desk: ScriptedDesk, *items: LabelledItem, **changes: object) -> Session:
    """Let the desk label the items, and return what came of it."""
    book = LabelBook(root, rubric(), rubric_labels(root, PATH))
    todo = LabelWork(
        **{"rubric": rubric(), "items": items, "labeller": "Ana", "by": "person"} | changes
    )
    session = Session(todo)
    label_items(session, desk=desk, book=book, now=noon)
    return session


def stored(root: Path) -> dict[object, tuple[Label, ...]]:
    found = read_labels(WorkingTree(root), rubric())
    return {each.subject.output: each.labels for each in found}


def test_a_key_is_a_label_and_each_is_on_disk_before_the_next_output_shows(tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(view: ItemView) -> str:
        seen.append(len(stored(tmp_path)))
        return "f"

    session = work(tmp_path, ScriptedDesk("p", fail, fail), item("a"), item("b"), item("c"))
    assert seen == [1, 2]
    assert stored(tmp_path) == {
        "a": (Label(passed=True, labeller="Ana", by="person", at=AT),),
        "b": (Label(passed=False, labeller="Ana", by="person", at=AT),),
        "c": (Label(passed=False, labeller="Ana", by="person", at=AT),),
    }
    assert [each.passed for each in session.labels] == [True, False, False]
    assert session.left == 0


def test_what_was_labelled_before_an_interruption_is_kept(tmp_path: Path) -> None:
    def interrupt(view: ItemView) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, ScriptedDesk("p", interrupt), item("a"), item("b"))
    assert list(stored(tmp_path)) == ["a"]


def test_quitting_and_skipping_label_nothing(tmp_path: Path) -> None:
    desk = ScriptedDesk("s", "q")
    session = work(tmp_path, desk, item("a"), item("b"))
    assert desk.outputs == ["a", "b"]
    assert (session.labels, session.left) == ([], 2)
    assert not (tmp_path / PATH).exists()


def test_undo_goes_back_step_by_step(tmp_path: Path) -> None:
    desk = ScriptedDesk("u", "p", "s", "u", "u", "f", "p")
    session = work(tmp_path, desk, item("a"), item("b"))
    assert desk.outputs == ["a", "a", "b", "b", "a", "b"]
    assert {output: labels[0].passed for output, labels in stored(tmp_path).items()} == {
        "a": False,
        "b": True,
    }
    assert session.left == 0
    assert "nothing" in desk.views[1].message


def test_undo_leaves_the_labels_of_others_alone(tmp_path: Path) -> None:
    shared = item("a", label(labeller="Bo"))
    rubric_labels(tmp_path, PATH).put([shared])
    before = (tmp_path / PATH).read_bytes()
    work(tmp_path, ScriptedDesk("f", "u"), shared, item("b"))
    assert (tmp_path / PATH).read_bytes() == before


def test_a_note_stays_with_its_output(tmp_path: Path) -> None:
    desk = ScriptedDesk("n", "p", "f", lines=("too long  ",))
    work(tmp_path, desk, item("a"), item("b"))
    assert [each.note for labels in stored(tmp_path).values() for each in labels] == [
        "too long",
        "",
    ]
    assert [view.note for view in desk.views] == ["", "too long", ""]


def test_the_guideline_is_shown_on_demand(tmp_path: Path) -> None:
    desk = ScriptedDesk("?", "?")
    work(tmp_path, desk, item("a"), guideline="# Tone\n\nBe kind.")
    assert "Be kind." in "\n".join(desk.panels[0].body)
    bare = ScriptedDesk("?")
    work(tmp_path, bare, item("a"))
    assert "Kind: no blame." in "\n".join(bare.panels[0].body)


def test_the_screen_tells_nothing_of_where_an_output_is_from_or_what_others_say(
    tmp_path: Path,
) -> None:
    source = {"model": "tiny-9", "run": "r1", "variant": "candidate", "suite": "mail-7"}
    told = item("a", label(False, "Secretive", note="hush"), source=source, weight=7.25)
    desk = ScriptedDesk("q")
    work(tmp_path, desk, told)
    shown = str(render_item(desk.views[0], Screen())) + str(desk.views[0])
    assert "Where is it?" in shown
    for secret in ("tiny-9", "candidate", "mail-7", "Secretive", "hush", "7.25", told.id):
        assert secret not in shown


def test_an_adjudicator_sees_every_label_and_decides(tmp_path: Path) -> None:
    disputed = item("a", label(True, note="warm"), label(False, "Bo", note="curt"))
    rubric_labels(tmp_path, PATH).put([disputed])
    desk = ScriptedDesk("f")
    work(tmp_path, desk, disputed, adjudicates=True, labeller="Cy")
    body = "\n".join(render_item(desk.views[0], Screen()).body)
    assert "pass  Ana (person): warm" in body and "fail  Bo (person): curt" in body
    (found,) = read_labels(WorkingTree(tmp_path), rubric())
    assert found.truth is False
    assert found.labels[-1].round == "adjudication"


def test_of_a_pair_either_output_may_stand_first_and_the_label_is_about_the_right_one(
    tmp_path: Path,
) -> None:
    pair = rubric(compare="pair")
    items = [item(f"new {n}", other=f"old {n}") for n in range(40)]

    def new_is_better(view: ItemView) -> str:
        body = render_item(view, Screen()).body
        first = next(line for line in body if "new" in line or "old" in line)
        return "1" if "new" in first else "2"

    book = LabelBook(tmp_path, pair, rubric_labels(tmp_path, PATH))
    session = Session(LabelWork(rubric=pair, items=items, labeller="Ana", by="person"))
    desk = ScriptedDesk(*[new_is_better] * 39, "p")
    label_items(session, desk=desk, book=book, now=noon)
    assert {view.swapped for view in desk.views} == {True, False}
    assert [is_swapped(each, "Ana") for each in items] == [
        is_swapped(each, "Ana") for each in items
    ]
    assert all(each.passed for each in session.labels[:39])
    assert set(desk.views[0].keys) == {"1", "2", "s", "u", "n", "?", "q"}


def test_labels_go_to_the_run_that_the_output_is_from(tmp_path: Path) -> None:
    bundle = tmp_path / ".evalkit/runs/r1"
    bundle.mkdir(parents=True)
    (bundle / "run.json").write_text("{}", encoding="utf-8")
    here, gone = item("a", source={"run": "r1"}), item("b", source={"run": "r0"})
    out = item("c", source={"run": "../runs/r1"})
    work(tmp_path, ScriptedDesk("p", "p", "p"), here, gone, out)
    (found,) = run_labels(bundle)
    assert (found.subject.output, found.truth) == ("a", True)
    assert list(stored(tmp_path)) == ["a", "b", "c"]
    work(tmp_path, ScriptedDesk("f", "u"), here, labeller="Bo")
    assert [each.labeller for each in run_labels(bundle)[0].labels] == ["Ana"]


def test_a_run_keeps_its_own_weights(tmp_path: Path) -> None:
    bundle = tmp_path / ".evalkit/runs/r1"
    bundle.mkdir(parents=True)
    (bundle / "run.json").write_text("{}", encoding="utf-8")
    append_run_labels(bundle, [item("a", label(), weight=8.0, source={"run": "r1"})])
    known = item("a", label(), weight=2.0, source={"run": "r1"})
    rubric_labels(tmp_path, PATH).put([known])
    work(tmp_path, ScriptedDesk("p"), known, labeller="Bo")
    (found,) = run_labels(bundle)
    assert found.weight == 8.0 and len(found.labels) == 2
    book = LabelBook(
        tmp_path, rubric(), rubric_labels(tmp_path, PATH), bundle=bundle, weighted=True
    )
    book.add(item("a", weight=5.0), label(labeller="Cy"))
    assert run_labels(bundle)[0].weight == 5.0
    assert read_labels(WorkingTree(tmp_path), rubric())[0].weight == 2.0


def test_what_is_labelled_leaves_the_queue_also_when_interrupted(tmp_path: Path) -> None:
    queue = SpotChecks(tmp_path)
    queue.put("tone@v1", [item("a"), item("b"), item("c")])

    def interrupt(view: ItemView) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work(tmp_path, ScriptedDesk("p", "p", "u", interrupt), *queue.waiting("tone@v1"))
    assert [each.subject.output for each in queue.waiting("tone@v1")] == ["b", "c"]
