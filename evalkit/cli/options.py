"""Options that several verbs share, and how their values become a request."""

from typing import Annotated, Literal

import typer

Suites = Annotated[
    list[str] | None,
    typer.Argument(help="Suites to run; default: the project's.", show_default=False),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change the candidate: suites.NAME.target.prompt=NAME@v2, "
        "routes.NAME.models.primary=MODEL. Repeatable.",
        show_default=False,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        metavar="REF|RUN",
        help="Compare with this git ref, stored run, or last-passing[@BRANCH] instead of the "
        "configured baseline.",
        show_default=False,
    ),
]
NoBaseline = Annotated[
    bool, typer.Option("--no-baseline", help="Gate on the floors of the suites alone.")
]
Live = Annotated[
    bool, typer.Option("--live", help="Ask models that have recordings, instead of replaying them.")
]
Concurrency = Annotated[
    int | None,
    typer.Option(min=1, max=1024, metavar="N", help="Calls at a time.", show_default=False),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
Refresh = Annotated[bool, typer.Option("--refresh", help="Ask again, and store the new replies.")]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Answer from the cache and never ask a model; what is missing ends with 2.",
    ),
]
Trials = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=100,
        metavar="N",
        help="Repeats of each case; default: the suite's.",
        show_default=False,
    ),
]
Tags = Annotated[
    list[str] | None,
    typer.Option(
        "--tag",
        metavar="TAG",
        help="Only cases with this tag; such a run never gates.",
        show_default=False,
    ),
]
Cases = Annotated[
    list[str] | None,
    typer.Option(
        "--case", metavar="CASE", help="Only this case; such a run never gates.", show_default=False
    ),
]
CasesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="RUN",
        help="With --regressed: only what broke in that run; never gates.",
        show_default=False,
    ),
]
Regressed = Annotated[
    bool, typer.Option("--regressed", help="Only the cases that broke in --cases-from.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="PROVIDER|primary=down|slow|429",
        help="Drill the fallback: this provider, or that of each tested route's first model, "
        "fails every call; never gates. Repeatable.",
        show_default=False,
    ),
]
Engine = Annotated[
    Literal["asyncio", "ray"] | None,
    typer.Option(
        help="Where attempts are made: in this process, or by the workers of a Ray cluster; "
        "default: the project's.",
        show_default=False,
    ),
]
EngineAddress = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of the Ray cluster: ray://HOST:10001, HOST:6379, auto, or local.",
        show_default=False,
    ),
]
AcceptGateChange = Annotated[
    bool,
    typer.Option("--accept-gate-change", help="Let a weaker gate or wider policy decide."),
]
AllowUnexercised = Annotated[
    bool,
    typer.Option("--allow-unexercised", help="Run although a changed asset is tested by nothing."),
]
Json = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, nothing else.")]
