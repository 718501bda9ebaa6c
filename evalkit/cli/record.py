"""`evalkit record`: keep a real model's answers in the repository."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit record ticket_routing --prompt ticket_routing@v2"


def record(
    suites: options.Suites = None,
    prompts: Annotated[
        list[str] | None,
        typer.Option(
            "--prompt",
            metavar="NAME@vN",
            help="Record this version too, besides the suite's own. Repeatable.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Ask models that have a recordings folder about every case, and keep what they answer.

    A run replays recordings and never asks a recorded model by itself, so a changed prompt has to
    be recorded before it can be gated. Cases are asked in order, one at a time.
    """
    import asyncio

    from evalkit.workflows.project import find_root
    from evalkit.workflows.recording import record_suites
    from evalkit.workflows.wiring import Wiring

    def tell(prompt: str, done: int, of: int) -> None:
        if done == of or done % 50 == 0:
            print_note(f"{prompt}: {done} of {of}")

    recorded = asyncio.run(
        record_suites(
            suites or (), prompts or (), wiring=Wiring(find_root(), live=True), on_reply=tell
        )
    )
    for each in recorded:
        print_result(
            f"{each.suite}: {each.replies} replies of {each.model} to {each.prompt} in {each.path}"
        )
    return 0
