"""Which verbs there are. Each module holds one, and imports its workflow only when it runs."""

import typer

from evalkit.cli import (
    approvals,
    audit,
    check,
    diff,
    fetch,
    gate,
    golden,
    history,
    init,
    judge,
    key,
    local,
    merge,
    plan,
    prune,
    publish,
    record,
    replay,
    route,
    run,
    schema,
    score,
    serve,
    show,
    trace,
    waive,
)

# in the order somebody meets them
_VERBS = (
    ("init", init.init, init.EXAMPLE, "Make a project that runs at once and teaches."),
    ("check", check.check, check.EXAMPLE, "Find every problem of the project, offline."),
    ("plan", plan.plan, plan.EXAMPLE, "Count and price a run before a cent is spent."),
    ("run", run.run, run.EXAMPLE, "Gate a change: candidate against baseline."),
    ("replay", replay.replay, replay.EXAMPLE, "Play production traffic through a candidate."),
    ("merge", merge.merge, merge.EXAMPLE, "Join the shards of a run, and gate it."),
    ("diff", diff.diff, diff.EXAMPLE, "Show what changed, case by case, regressions first."),
    ("show", show.show, show.EXAMPLE, "Show a run, or everything known of one case."),
    ("history", history.history, history.EXAMPLE, "Show trends, what changed, and flaky cases."),
    ("fetch", fetch.fetch, fetch.EXAMPLE, "Bring a run that CI made to this machine."),
    ("score", score.score, score.EXAMPLE, "Score a stored run again and decide anew."),
    ("gate", gate.gate, gate.EXAMPLE, "Decide on a stored run, or on result files."),
    ("waive", waive.waive, waive.EXAMPLE, "Accept for a while that a part does not pass."),
    ("record", record.record, record.EXAMPLE, "Keep a real model's answers in the repository."),
    ("serve", serve.serve, serve.EXAMPLE, "Serve the routes to applications: the gateway."),
    ("prune", prune.prune, prune.EXAMPLE, "Remove private state that is old enough."),
    ("schema", schema.schema, schema.EXAMPLE, "Print JSON Schemas for editors and programs."),
)


def register(app: typer.Typer) -> None:
    """Add every verb to the application."""
    for name, verb, example, summary in _VERBS:
        app.command(name, epilog=example, short_help=summary)(verb)
    app.add_typer(judge.app)
    app.add_typer(golden.app)
    app.add_typer(local.app)
    app.add_typer(route.app)
    app.add_typer(key.app)
    app.add_typer(trace.app)
    app.add_typer(audit.app)
    app.add_typer(approvals.app)
    app.add_typer(publish.app)
