"""`evalkit serve`: the gateway."""

from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.output import print_note

EXAMPLE = "Example: evalkit serve --host 0.0.0.0 --tls-cert gateway.pem --tls-key gateway.key"


def serve(
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 8700,
    tls_cert: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The certificate (chain) of this server, in PEM."),
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, in PEM.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="Processes behind the port. Caps hold over all of them; limits of providers and "
            "circuits are each one's own, and sessions that clients name need a single one.",
        ),
    ] = 1,
    without_tls: Annotated[
        bool,
        typer.Option(
            "--without-tls",
            help="Listen beyond this machine in the clear: a proxy in front speaks TLS.",
        ),
    ] = False,
) -> int:
    """Serve the project's routes to applications: OpenAI's and Anthropic's formats, our keys.

    Limits stand in `gateway:` of evalkit.yaml. SIGTERM and Ctrl-C let requests under way end; a
    second one stops at once.
    """
    from evalkit.collector import look_often_enough_to_serve
    from evalkit.workflows.gateway.listening import Listening
    from evalkit.workflows.gateway.serving import serve_project
    from evalkit.workflows.project import find_root

    look_often_enough_to_serve()
    return serve_project(
        find_root(),
        Listening(host=host, port=port, cert=tls_cert, key=tls_key),
        without_tls=without_tls,
        tell=print_note,
        workers=workers,
    )
