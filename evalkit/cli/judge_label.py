"""`evalkit judge label`: label outputs, blind, one key each."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.output import print_note, print_result
from evalkit.errors import UsageError

EXAMPLE = (
    "Example: evalkit judge label reply_tone@v1 --run latest; "
    "evalkit judge label reply_tone@v1 --import labels.csv --labeller Ana --by person"
)


class Kind(StrEnum):
    """What a labeller can be."""

    person = "person"
    model = "model"
    rule = "rule"


def label(
    rubric: Annotated[
        str, typer.Argument(metavar="RUBRIC", help="NAME@vN, or NAME for its latest version.")
    ],
    run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            help="Draw outputs of this run: id, unique prefix, path, or latest.",
            show_default=False,
        ),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            metavar="S",
            help="With --run: this suite's outputs; default: every suite that the rubric judges.",
            show_default=False,
        ),
    ] = None,
    spot_checks: Annotated[
        bool, typer.Option("--spot-checks", help="What runs put aside for labelling.")
    ] = False,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import",
            metavar="FILE",
            help="Add the rows of a CSV or JSON Lines file: output, input.NAME, label, …",
            show_default=False,
        ),
    ] = None,
    labeller: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Who labels; default: EVALKIT_LABELLER, else git's user.name.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        Kind | None,
        typer.Option(
            help="What the labeller is. At a terminal: person; else it has to be said.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100_000,
            metavar="N",
            help="With --run: draw about N outputs (100 without it); else show N at most.",
            show_default=False,
        ),
    ] = None,
    second: Annotated[
        bool, typer.Option("--second", help="What others have labelled and you have not.")
    ] = False,
    disagreements: Annotated[
        bool, typer.Option("--disagreements", help="List the outputs whose labels differ.")
    ] = False,
    adjudicate: Annotated[
        bool, typer.Option("--adjudicate", help="Decide where labels differ; shows all of them.")
    ] = False,
) -> int:
    """Label outputs by keyboard, without seeing what the judge or anybody else said of them.

    Without a source: what waits in the rubric's own label file. Each label is stored before the
    next output is shown, so the same command goes on after any interruption. Keys: p pass, f fail,
    s skip, u undo, n note, ? guideline, q quit. Piped input is read as a key a line.
    """
    sources = {
        "--run": run is not None,
        "--spot-checks": spot_checks,
        "--import": import_ is not None,
        "--adjudicate": adjudicate,
        "--disagreements": disagreements,
    }
    _check(sources, second=second, suite=suite, run=run)
    if disagreements:
        return _list_disagreements(rubric)
    if import_ is not None:
        return _import(rubric, import_, labeller, by)
    return _label(
        rubric,
        labeller,
        by,
        run=run,
        suite=suite,
        spot_checks=spot_checks,
        second=second,
        adjudicate=adjudicate,
        count=count,
    )


def _check(sources: dict[str, bool], *, second: bool, suite: str | None, run: str | None) -> None:
    given = [name for name, is_given in sources.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other; give one")
    if second and given not in ([], ["--run"]):
        raise UsageError(f"--second and {given[0]} exclude each other; give one")
    if suite is not None and run is None:
        raise UsageError("--suite goes with --run: it says whose outputs are meant")


def _list_disagreements(rubric: str) -> int:
    from evalkit.report.labelling import disagreements_text
    from evalkit.report.screen import screen_of
    from evalkit.workflows.judges.label_work import read_disagreements
    from evalkit.workflows.project import find_root

    found, items = read_disagreements(find_root(), rubric)
    print_result(disagreements_text(items, found, screen_of(sys.stdout)))
    return 0


def _import(rubric: str, file: Path, labeller: str | None, by: Kind | None) -> int:
    from evalkit.report.labelling import imported_text
    from evalkit.workflows.judges.importing import import_file
    from evalkit.workflows.project import find_root

    imported = import_file(
        find_root(), rubric, file, labeller=labeller, by=None if by is None else by.value
    )
    print_result(
        imported_text(
            imported.file,
            rows=imported.rows,
            new=imported.new,
            by=imported.by,
            known=imported.known,
            unlabelled=imported.unlabelled,
            disputed=imported.disputed,
        )
    )
    return 0


def _label(
    rubric: str,
    labeller: str | None,
    by: Kind | None,
    *,
    run: str | None,
    suite: str | None,
    spot_checks: bool,
    second: bool,
    adjudicate: bool,
    count: int | None,
) -> int:
    from datetime import UTC, datetime

    from evalkit.cli.desk import KeyDesk, standard_desk
    from evalkit.report.figures import count as count_words
    from evalkit.report.labelling import session_text
    from evalkit.workflows.judges.label_work import LabelRequest, labeller_of, open_work
    from evalkit.workflows.judges.labelling import Session, label_items
    from evalkit.workflows.project import find_root

    root = find_root()
    desk = standard_desk()
    if by is None and not isinstance(desk, KeyDesk):
        raise UsageError("keys come from a pipe, so say what gives them: --by person|model|rule")
    opened = open_work(
        root,
        LabelRequest(
            rubric=rubric,
            labeller=labeller_of(root, labeller),
            by="person" if by is None else by.value,
            run=run,
            suite=suite,
            spot_checks=spot_checks,
            second=second,
            adjudicate=adjudicate,
            count=count,
        ),
    )
    if not opened.work.items:
        print_result(opened.empty)
        return 0
    session = Session(opened.work)
    try:
        label_items(session, desk=desk, book=opened.book, now=lambda: datetime.now(UTC))
    except KeyboardInterrupt:
        print_note(
            f"\nstored: {count_words(len(session.labels), 'label')}; the same command goes on"
        )
        raise
    print_result(session_text(opened.work.rubric.ref, session.labels, left=session.left))
    return 0
