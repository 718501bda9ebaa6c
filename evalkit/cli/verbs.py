"""Which verbs there are. Each module holds one, and imports its workflow only when it runs."""

from importlib import import_module

import typer

# in the order somebody meets them: the verb, also its module's name, and what it does
_VERBS = {
    "init": "Make a project that runs at once and teaches.",
    "check": "Find every problem of the project, offline.",
    "plan": "Count and price a run before a cent is spent.",
    "run": "Gate a change: candidate against baseline.",
    "replay": "Play production traffic through a candidate.",
    "merge": "Join the shards of a run, and gate it.",
    "diff": "Show what changed, case by case, regressions first.",
    "show": "Show a run, or everything known of one case.",
    "history": "Show trends, what changed, and flaky cases.",
    "fetch": "Bring a run that CI made to this machine.",
    "score": "Score a stored run again and decide anew.",
    "gate": "Decide on a stored run, or on result files.",
    "waive": "Accept for a while that a part does not pass.",
    "record": "Keep a real model's answers in the repository.",
    "serve": "Serve the routes to applications: the gateway.",
    "prune": "Remove private state that is old enough.",
    "schema": "Print JSON Schemas for editors and programs.",
}
# modules whose `app` has verbs below it
_GROUPS = ("judge", "golden", "local", "route", "key", "trace", "audit", "approvals", "publish")


def register(app: typer.Typer, asked: str | None = None) -> None:
    """Add every verb to the application, or only the one that is asked for by its name.

    The others cost 25 ms. What is no name of a verb adds all, for help and suggestions.
    """
    known = asked in _VERBS or asked in _GROUPS
    for name, summary in _VERBS.items():
        if not known or name == asked:
            module = import_module(f"evalkit.cli.{name}")
            app.command(name, epilog=module.EXAMPLE, short_help=summary)(getattr(module, name))
    for name in _GROUPS:
        if not known or name == asked:
            app.add_typer(import_module(f"evalkit.cli.{name}").app)
