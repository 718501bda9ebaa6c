"""`evalkit local`: the embedded model on this machine."""

from typing import Annotated

import typer

from evalkit.cli.output import print_note, print_result

app = typer.Typer(
    name="local", help="The embedded model: pull its weights, serve it.", no_args_is_help=True
)


@app.command(epilog="Example: evalkit local pull")
def pull() -> int:
    """Fetch the weights of SmolLM2-135M (93 MB) into the user's cache and check their digest."""
    from evalkit.workflows.local import pull_model

    print_result(f"the weights are at {pull_model()}")
    return 0


@app.command(epilog="Example: evalkit local serve --port 8080")
def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on.")] = 8080,
) -> int:
    """Serve the embedded model as an OpenAI-compatible server until it is interrupted."""
    from evalkit.workflows.local import serve_model

    serve_model(host, port, lambda url: print_note(f"serving on {url}; stop with Ctrl-C"))
    return 0
