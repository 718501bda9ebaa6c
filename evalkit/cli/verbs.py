"""Which verbs there are. Each module holds one, and imports its workflow only when it runs."""

import typer

from evalkit.cli import (
    check,
    diff,
    gate,
    golden,
    init,
    local,
    plan,
    record,
    run,
    schema,
    score,
    show,
)


def register(app: typer.Typer) -> None:
    """Add every verb to the application, in the order somebody meets them."""
    app.command("init", epilog=init.EXAMPLE)(init.init)
    app.command("check", epilog=check.EXAMPLE)(check.check)
    app.command("plan", epilog=plan.EXAMPLE)(plan.plan)
    app.command("run", epilog=run.EXAMPLE)(run.run)
    app.command("diff", epilog=diff.EXAMPLE)(diff.diff)
    app.command("show", epilog=show.EXAMPLE)(show.show)
    app.command("score", epilog=score.EXAMPLE)(score.score)
    app.command("gate", epilog=gate.EXAMPLE)(gate.gate)
    app.command("record", epilog=record.EXAMPLE)(record.record)
    app.command("schema", epilog=schema.EXAMPLE)(schema.schema)
    app.add_typer(golden.app)
    app.add_typer(local.app)
