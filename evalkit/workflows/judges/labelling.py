"""Labelling: one output after the other, each label on disk before the next is shown."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from evalkit.records.asset import Rubric
from evalkit.records.label import Label, LabelledItem, LabellerKind
from evalkit.report.labelling import ItemView, Panel, question_of, render_guideline
from evalkit.report.screen import Screen
from evalkit.store.labels import LabelFile, append_run_labels, run_label_file
from evalkit.store.runs import RunStore
from evalkit.store.spot_checks import SpotChecks


class Desk(Protocol):
    """Where somebody labels: shows outputs, and reads keys."""

    def ask(self, view: ItemView) -> str:
        """Show the output and wait for one of its keys; `q` where the input has ended."""

    def end(self, total: int) -> str:
        """Say that all outputs were shown; `u` to take the last label back, else `q`."""

    def read(self, render: Callable[[Screen], Panel]) -> None:
        """Show a text until a key is pressed."""

    def line(self, prompt: str) -> str:
        """A line of text; empty where the input has ended."""


class LabelBook:
    """Where labels are kept: the rubric's file, and the run that an output comes from, if it is
    here. Everything is on disk when a method returns; each raises StoreError."""

    def __init__(
        self,
        root: Path,
        rubric: Rubric,
        file: LabelFile,
        *,
        bundle: Path | None = None,
        weighted: bool = False,
    ) -> None:
        """`bundle` is the run whose outputs are labelled, where one was named. `weighted` says that
        the items were drawn for their run, so that their weights are that run's."""
        self._root = root
        self._rubric = rubric
        self._file = file
        self._bundle = bundle
        self._weighted = weighted
        self._new: set[str] = set()
        self._settled: set[str] = set()

    def add(self, item: LabelledItem, label: Label) -> None:
        """Keep a label."""
        if self._file.find(item.id) is None:
            self._new.add(item.id)
        kept = self._file.add(item, label)
        self.tell_runs([msgspec.structs.replace(item, labels=kept.labels)])
        self._settled.add(item.id)

    def take_back(self, item: LabelledItem, label: Label) -> None:
        """Forget a label that was given in this session."""
        kept = self._file.take_back(item.id, label, keep=item.id not in self._new)
        left = () if kept is None else kept.labels
        self.tell_runs([msgspec.structs.replace(item, labels=left)])
        self._settled.discard(item.id)

    def weigh(self, items: Iterable[LabelledItem]) -> None:
        """Give labelled items their weights in a sample of their run that was drawn anew."""
        self._file.put(items)

    def tell_runs(self, items: Iterable[LabelledItem]) -> None:
        """Write items as they are labelled now into their runs, for `evalkit gate RUN`."""
        by_bundle: defaultdict[Path, list[LabelledItem]] = defaultdict(list)
        for item in items:
            bundle = self._bundle or self._bundle_of(item)
            if bundle is not None:
                by_bundle[bundle].append(item)
        for bundle, mine in by_bundle.items():
            if not self._weighted:
                mine = [_with_weight_of(run_label_file(bundle), item) for item in mine]
            append_run_labels(bundle, mine)

    def settle(self) -> None:
        """Take what was labelled out of the queue of spot checks."""
        SpotChecks(self._root).remove(self._rubric.ref, self._settled)

    def _bundle_of(self, item: LabelledItem) -> Path | None:
        run = item.source.get("run")
        if not isinstance(run, str) or not run or "/" in run or run[0] == ".":
            return None
        folder = RunStore(self._root).folder / run
        return folder if (folder / "run.json").is_file() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelWork:
    """What one labeller is to label now. `done` outputs of it were labelled before."""

    rubric: Rubric
    items: Sequence[LabelledItem]
    labeller: str
    by: LabellerKind
    adjudicates: bool = False
    guideline: str | None = None
    done: int = 0


@dataclass(slots=True)
class Session:
    """What came of a session so far. `given` are its labels, with the index of their item (None for
    one that was skipped)."""

    work: LabelWork
    given: list[tuple[int, Label | None]] = field(default_factory=list)

    @property
    def labels(self) -> list[Label]:
        """The labels of this session."""
        return [label for _, label in self.given if label is not None]

    @property
    def left(self) -> int:
        """How many outputs are still without a label of this labeller."""
        return len(self.work.items) - len(self.labels)


def label_items(
    session: Session, *, desk: Desk, book: LabelBook, now: Callable[[], datetime]
) -> None:
    """Show each output until it has a label, is skipped, or the labeller ends.

    `session` tells what was done, also where a KeyboardInterrupt ends it. Raises StoreError.
    """
    try:
        _label(session, desk, book, now)
    finally:
        book.settle()


def _label(session: Session, desk: Desk, book: LabelBook, now: Callable[[], datetime]) -> None:
    work = session.work
    notes: dict[int, str] = {}
    index, message = 0, ""
    while True:
        if index == len(work.items):
            if desk.end(index) != "u":
                return
            index, message = _undo(session, book, index)
            continue
        item = work.items[index]
        swapped = is_swapped(item, work.labeller)
        key = desk.ask(_view(session, index, swapped, notes.get(index, ""), message))
        message = ""
        match key:
            case "p" | "f" | "1" | "2":
                label = Label(
                    passed=key == "p" or (key in ("1", "2") and (key == "2") == swapped),
                    labeller=work.labeller,
                    by=work.by,
                    at=now().isoformat(timespec="seconds"),
                    round="adjudication" if work.adjudicates else "label",
                    note=notes.get(index, ""),
                )
                book.add(item, label)
                session.given.append((index, label))
                index += 1
            case "s":
                session.given.append((index, None))
                index += 1
            case "u":
                index, message = _undo(session, book, index)
            case "n":
                notes[index] = desk.line("note: ").strip()
            case "?":
                desk.read(lambda screen: render_guideline(work.rubric, work.guideline, screen))
            case _:
                return


def _undo(session: Session, book: LabelBook, index: int) -> tuple[int, str]:
    """Take the last step back; the index to go on with, and what to say of it."""
    if not session.given:
        return index, "nothing of this session to take back"
    index, given = session.given.pop()
    if given is not None:
        book.take_back(session.work.items[index], given)
    return index, "taken back: what do you say now?"


def _with_weight_of(file: LabelFile, item: LabelledItem) -> LabelledItem:
    """The item with the weight that its run has it with: other labels have no say in it."""
    kept = file.find(item.id)
    return item if kept is None else msgspec.structs.replace(item, weight=kept.weight)


def _view(session: Session, index: int, swapped: bool, note: str, message: str) -> ItemView:
    work = session.work
    item = work.items[index]
    passes, fails = question_of(work.rubric)
    return ItemView(
        rubric=work.rubric.ref,
        number=index + 1,
        total=len(work.items),
        labelled=len(session.labels),
        subject=item.subject,
        passes=passes,
        fails=fails,
        swapped=swapped,
        labels=item.labels if work.adjudicates else (),
        note=note,
        message=message,
    )


def is_swapped(item: LabelledItem, labeller: str) -> bool:
    """Whether the second output of a pair is shown first: by chance, and the same each time."""
    if item.subject.other is None:
        return False
    return random.Random(f"{item.id} {labeller}").random() < 0.5
