"""Which verbs there are. Each module holds one, and imports its workflow only when it runs."""

import typer

from evalkit.cli import gate


def register(app: typer.Typer) -> None:
    """Add every verb to the application."""
    app.command("gate", epilog=gate.EXAMPLE)(gate.gate)
