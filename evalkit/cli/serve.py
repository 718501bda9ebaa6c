"""`evalkit serve`: the gateway."""

from typing import Annotated

import typer

from evalkit.cli.output import print_note

EXAMPLE = "Example: evalkit serve --port 8700"


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen at. Loopback, unless a proxy is in front.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8700,
) -> int:
    """Serve the project's routes to applications: OpenAI's formats, with keys of ours."""
    from evalkit.workflows.project import find_root
    from evalkit.workflows.serving import serve_project

    serve_project(
        find_root(),
        host=host,
        port=port,
        on_ready=lambda url: print_note(f"listening at {url}; Ctrl-C drains and stops"),
    )
    return 0
