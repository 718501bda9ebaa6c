"""What is to be labelled now: outputs of a run, spot checks, or items of the label file."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from evalkit.errors import Refused, UsageError
from evalkit.records.asset import Rubric
from evalkit.records.label import LabelledItem, LabellerKind
from evalkit.sources.git_command import GitFailed, run_git
from evalkit.sources.labels import guideline_path, labels_path, read_labels
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.labels import rubric_labels
from evalkit.store.runs import RunStore
from evalkit.store.spot_checks import SpotChecks
from evalkit.workflows.judges.labelling import LabelBook, LabelWork
from evalkit.workflows.judges.sampling import sample_run

SAMPLE = 100
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRequest:
    """What the command line asks for. `count` is how many outputs of a run are drawn (100 without
    it), else how many are shown at most."""

    rubric: str
    labeller: str
    by: LabellerKind
    run: str | None = None
    suite: str | None = None
    spot_checks: bool = False
    second: bool = False
    adjudicate: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedWork:
    """The work with the book that takes its labels, and why there is none where it is empty."""

    work: LabelWork
    book: LabelBook
    empty: str = ""


def open_work(root: Path, request: LabelRequest) -> OpenedWork:
    """Find what this labeller has not labelled yet, in an order that only they see.

    Labels that outputs of the run have already are written into the run too. Raises UsageError
    where nothing says what to label, ConfigError for a bad rubric or label file, StoreError.
    """
    tree = WorkingTree(root)
    rubric = read_rubric(tree, request.rubric)
    known = {item.id: item for item in read_labels(tree, rubric)}
    bundle: Path | None = None
    if request.adjudicate:
        found = [item for item in known.values() if item.disputed]
        empty = f"{rubric.ref}: no labels differ, so there is nothing to decide"
    elif request.run is not None:
        opened = RunStore(root).open(request.run)
        drawn = sample_run(
            opened.load_whole(), rubric, request.count or SAMPLE, suite=request.suite
        )
        bundle = opened.path
        found = _wanted(drawn, known, request)
        empty = f"run {opened.id}: all {len(drawn)} outputs of the sample are labelled"
        if request.second:
            empty = f"run {opened.id}: nobody else's labels in the sample wait for a second one"
    elif request.spot_checks:
        drawn = SpotChecks(root).waiting(rubric.ref)
        found = _wanted(drawn, known, request)
        empty = f"{rubric.ref}: no spot check waits for a label"
    else:
        drawn = tuple(known.values())
        found = _wanted(drawn, known, request)
        empty = f"{rubric.ref}: nobody else's label waits for a second one"
        if not found and not request.second:
            raise UsageError(
                f"every output in {labels_path(rubric)} is labelled, or none is there; say what "
                "to label: --run latest, --spot-checks, --import FILE, or --second"
            )
    file = rubric_labels(root, labels_path(rubric))
    drawn_now = request.run is not None or request.spot_checks
    book = LabelBook(root, rubric, file, bundle=bundle, weighted=drawn_now)
    if drawn_now and not request.adjudicate:
        _settle(drawn, known, book, SpotChecks(root), rubric)
    most = None if request.run is not None else request.count
    ordered = shuffled(found, seed=f"{rubric.ref} {request.labeller}")
    if request.second:
        ordered.sort(key=lambda item: len(item.labels))  # a second label before a third one
    work = LabelWork(
        rubric=rubric,
        items=ordered[:most],
        labeller=request.labeller,
        by=request.by,
        adjudicates=request.adjudicate,
        guideline=_guideline(tree, rubric),
    )
    return OpenedWork(work=work, book=book, empty=empty)


def read_disagreements(root: Path, rubric: str) -> tuple[Rubric, tuple[LabelledItem, ...]]:
    """The rubric, and the items whose labels differ and nobody has decided."""
    tree = WorkingTree(root)
    found = read_rubric(tree, rubric)
    return found, tuple(item for item in read_labels(tree, found) if item.disputed)


def shuffled(items: Iterable[LabelledItem], *, seed: str) -> list[LabelledItem]:
    """Items by a hash of seed and id: an order by chance, and the same one for those that are left
    when some are done."""
    return sorted(items, key=lambda item: hashlib.sha256(f"{seed} {item.id}".encode()).digest())


def labeller_of(root: Path, given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Who labels: what was given, else EVALKIT_LABELLER, else git's user.name.

    Raises UsageError where nobody is named.
    """
    name = given if given is not None else environ.get("EVALKIT_LABELLER", "")
    if given is None and not name.strip():
        try:
            name = run_git(root, "config", "--get", "user.name").decode(errors="replace")
        except (GitFailed, Refused):
            name = ""
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise UsageError(
            "say who labels, in up to 100 characters: --labeller NAME, or EVALKIT_LABELLER"
        )
    return name


def _wanted(
    drawn: Iterable[LabelledItem], known: Mapping[str, LabelledItem], request: LabelRequest
) -> list[LabelledItem]:
    """Of the drawn items those without a label; for a second labeller those with others' labels
    and none of their own."""
    found = []
    for item in drawn:
        kept = known.get(item.id)
        labels = () if kept is None else kept.labels
        if not request.second:
            wanted = not labels
        else:
            mine = any(label.labeller == request.labeller for label in labels)
            decided = any(label.round == "adjudication" for label in labels)
            wanted = bool(labels) and not mine and not decided
        if wanted:
            found.append(item)
    return found


def _settle(
    drawn: Sequence[LabelledItem],
    known: Mapping[str, LabelledItem],
    book: LabelBook,
    spots: SpotChecks,
    rubric: Rubric,
) -> None:
    """Tell the run what is labelled already, and take that out of the queue of spot checks."""
    labelled = [
        msgspec.structs.replace(item, labels=known[item.id].labels)
        for item in drawn
        if item.id in known and known[item.id].labels
    ]
    book.tell_runs(labelled)
    # a larger sample of one run makes every output of it stand for fewer
    weighed = [
        msgspec.structs.replace(known[item.id], weight=item.weight)
        for item in labelled
        if known[item.id].source.get("run") == item.source.get("run") is not None
        and known[item.id].weight != item.weight
    ]
    if weighed:
        book.weigh(weighed)
    spots.remove(rubric.ref, {item.id for item in labelled})


def _guideline(tree: WorkingTree, rubric: Rubric) -> str | None:
    try:
        return tree.read(guideline_path(rubric)).decode("utf-8-sig", "replace")
    except FileNotFoundError:
        return None
