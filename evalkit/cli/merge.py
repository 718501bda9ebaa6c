"""`evalkit merge`: the shards of a run as one run, decided."""

import sys
from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit merge shards/, where CI put the bundles of evalkit run --shard I/N"


def merge(
    shards: Annotated[
        list[str],
        typer.Argument(
            metavar="SHARD…",
            help="Every shard of one run: its id or bundle, or a folder with bundles below it.",
        ),
    ],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="The verdict line only.")] = False,
    json_: options.Json = False,
) -> int:
    """Join the shards of a run, prove that nothing is missing, and decide.

    Shards are merged when they are of one plan, all there, each once and whole; anything else is
    refused (2) by name. Ends with the verdict's exit code, as an undivided run does.
    """
    from evalkit.report.run_json import run_json
    from evalkit.report.terminal import run_text
    from evalkit.workflows.project import find_root
    from evalkit.workflows.reading import compare_arms
    from evalkit.workflows.runs.last_run import remember_end
    from evalkit.workflows.runs.merging import merge_shards
    from evalkit.workflows.wiring import SystemClock

    root = find_root()
    clock, command = SystemClock(), tuple(sys.argv[1:])
    with remember_end(root, clock=clock, command=command) as ending:
        stored, troubles = merge_shards(root, shards, clock=clock, command=command)
        ending.take(stored)
    for trouble in troubles:
        print_note(trouble)
    if json_:
        print_result(run_json(stored.record))
    else:
        print_result(run_text(stored, compare_arms(stored), quiet=quiet))
    return stored.record.exit_code
