"""`evalkit fetch`: CI's run on the laptop."""

from typing import Annotated

import typer

from evalkit.cli import options
from evalkit.cli.output import print_note, print_result

EXAMPLE = "Example: evalkit fetch --pr 42; evalkit fetch --run 20261124T204619Z-7490"


def fetch(
    pr: Annotated[
        int | None,
        typer.Option(
            "--pr",
            "--mr",
            min=1,
            metavar="NUMBER",
            help="The run for the last commit of this pull or merge request.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The run of this workflow run or pipeline (a number), or with this id.",
            show_default=False,
        ),
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST/]OWNER/NAME",
            help="The repository; default: that of the git remote origin.",
            show_default=False,
        ),
    ] = None,
    artifact: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What CI kept the run as: on GitHub the artifact (default: evalkit-run), on "
            "GitLab the job (default: evalkit).",
            show_default=False,
        ),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="VARIABLE",
            help="The environment variable with the token; default: GITHUB_TOKEN or GH_TOKEN, "
            "GITLAB_TOKEN.",
            show_default=False,
        ),
    ] = None,
    gitlab: Annotated[
        bool, typer.Option("--gitlab", help="The repository is one of GitLab, whatever its host.")
    ] = False,
    json_: options.Json = False,
) -> int:
    """Bring a run that CI made into this project, for show and diff.

    Nothing that is here is changed. Reports are written anew from the run's data.
    """
    from evalkit.workflows.forges.fetching import FetchRequest, fetch_run
    from evalkit.workflows.project import find_root

    request = FetchRequest(
        change=pr, run=run, repository=repo, artifact=artifact, token_env=token_env, gitlab=gitlab
    )
    fetched = fetch_run(find_root(), request)
    if json_:
        print_result(fetched.json())
        return 0
    print_note(f"{'fetched' if fetched.fresh else 'was here already'}: {fetched.path}")
    print_result("\n".join(fetched.next))
    return 0
