"""`evalkit publish`: a run where people look. One command for each host."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.output import print_note, print_result

if TYPE_CHECKING:
    from evalkit.workflows.forges.publishing import Publication

app = typer.Typer(
    name="publish",
    help="Show the last run where people look: GitHub, GitLab, plain CI.",
    no_args_is_help=True,
)

Run = Annotated[
    str | None,
    typer.Argument(
        help="A stored run; default: how the last evalkit run ended, also when nothing was run.",
        show_default=False,
    ),
]


class CheckKind(StrEnum):
    """How the verdict is put on a commit."""

    check = "check"
    status = "status"
    none = "none"


@app.command(
    epilog="Example: evalkit publish github; "
    "evalkit publish github latest --repo acme/bot --pr 12 --dry-run"
)
def github(
    run: Run = None,
    repo: Annotated[
        str | None,
        typer.Option(metavar="OWNER/NAME", help="Default: the job's.", show_default=False),
    ] = None,
    pr: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="The pull request; default: the event's.", show_default=False
        ),
    ] = None,
    sha: Annotated[
        str | None,
        typer.Option(
            help="The commit that gets the check; default: the pull request's own.",
            show_default=False,
        ),
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="The REST API of an Enterprise Server.", show_default=False
        ),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The variable that holds the token; default: GITHUB_TOKEN, then GH_TOKEN.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Tells this comment and check from those of other jobs; default: the project's "
            "folder.",
            show_default=False,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The check's name; default: evalkit.", show_default=False)
    ] = None,
    live_run: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="How a maintainer starts a live run, for what a fork's job cannot measure.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        CheckKind, typer.Option(help="A check run, a commit status, or neither.")
    ] = CheckKind.check,
    comment: Annotated[
        bool, typer.Option("--comment/--no-comment", help="The comment on the pull request.")
    ] = True,
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="The page of the job.")
    ] = True,
    annotations: Annotated[
        bool, typer.Option("--annotations/--no-annotations", help="Lines of cases that broke.")
    ] = True,
    other_commit: Annotated[
        bool, typer.Option("--other-commit", help="Publish a run of another commit all the same.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be sent as JSON, and send nothing.")
    ] = False,
) -> int:
    """Publish to GitHub: job summary, annotations, comment, check.

    The comment is one, updated in place. Each is published for itself.

    Exit codes: 0 when all of it was published, whatever the verdict, 2 usage, 4 GitHub said no.
    """
    from evalkit.workflows.forges.publishing_github import GithubRequest, publish_github
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.wiring import Wiring

    root = find_runs_root(run)
    request = GithubRequest(
        repo=repo,
        pr=pr,
        sha=sha,
        api_url=api_url,
        token_env=token_env,
        key=key,
        name=name,
        live_run=live_run,
        comment=comment,
        check=check.value,
        summary=summary,
        annotations=annotations,
        other_commit=other_commit,
        dry_run=dry_run,
    )
    wiring = Wiring(root)
    published = publish_github(root, run, request, transport=wiring.transport(), clock=wiring.clock)
    return print_publication(published, dry_run=dry_run)


@app.command(
    epilog="Example: evalkit publish gitlab --code-quality evalkit-report/code-quality.json; "
    "evalkit publish gitlab latest --project acme/bot --mr 12"
)
def gitlab(
    run: Run = None,
    project: Annotated[
        str | None,
        typer.Option(
            metavar="GROUP/NAME", help="Or its number; default: the job's.", show_default=False
        ),
    ] = None,
    mr: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="The merge request; default: the job's.", show_default=False
        ),
    ] = None,
    sha: Annotated[
        str | None,
        typer.Option(
            help="The commit that gets the status; default: the merge request's own.",
            show_default=False,
        ),
    ] = None,
    api_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The REST API; default: the job's.", show_default=False),
    ] = None,
    token_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The variable that holds the token; default: GITLAB_TOKEN. CI_JOB_TOKEN cannot "
            "write notes.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            help="Tells this note and status from those of other jobs; default: the project's "
            "folder.",
            show_default=False,
        ),
    ] = None,
    live_run: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="How a maintainer starts a live run, for what a fork's job cannot measure.",
            show_default=False,
        ),
    ] = None,
    note: Annotated[
        bool, typer.Option("--note/--no-note", help="The note on the merge request.")
    ] = True,
    status: Annotated[
        bool,
        typer.Option("--status", help="A commit status too; a job of GitLab's own CI is one."),
    ] = False,
    code_quality: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write what broke as a Code Quality report.", show_default=False
        ),
    ] = None,
    other_commit: Annotated[
        bool, typer.Option("--other-commit", help="Publish a run of another commit all the same.")
    ] = False,
) -> int:
    """Publish to GitLab: note, status, Code Quality report.

    The note is one, updated in place.

    Exit codes: 0 when all of it was published, whatever the verdict, 2 usage, 4 GitLab said no.
    """
    from evalkit.workflows.forges.publishing_gitlab import GitlabRequest, publish_gitlab
    from evalkit.workflows.project import find_runs_root
    from evalkit.workflows.wiring import Wiring

    root = find_runs_root(run)
    request = GitlabRequest(
        project=project,
        merge_request=mr,
        sha=sha,
        api_url=api_url,
        token_env=token_env,
        key=key,
        live_run=live_run,
        note=note,
        status=status,
        code_quality=code_quality,
        other_commit=other_commit,
    )
    wiring = Wiring(root)
    published = publish_gitlab(root, run, request, transport=wiring.transport(), clock=wiring.clock)
    return print_publication(published)


@app.command(epilog="Example: evalkit publish plain --to evalkit-report")
def plain(
    run: Run = None,
    to: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where the files go; it is made.")
    ] = Path("evalkit-report"),
) -> int:
    """Write reports into a folder, for any CI that keeps files.

    They are report.md, report.html, junit.xml and verdict.json, and are written whatever
    happened: of a run that was refused they say why.
    """
    from evalkit.workflows.forges.publishing_plain import publish_plain
    from evalkit.workflows.project import find_runs_root

    return print_publication(publish_plain(find_runs_root(run), run, to=to))


def print_publication(published: "Publication", *, dry_run: bool = False) -> int:
    """Print what came of it; nothing in it is a command to a CI's log but `commands`."""
    from evalkit.report.github.annotations import log_line
    from evalkit.report.github.dry_run import dry_run_json

    if dry_run:
        print_result(dry_run_json(published.requests or [], published.commands, published.summary))
    else:
        lines = [*published.commands, *(log_line(each) for each in published.done)]
        if lines:
            print_result("\n".join(lines))
    for note in published.notes:
        print_note(f"note: {log_line(note)}")
    for problem in published.problems:
        print_note(f"error: {log_line(str(problem))}")
    return published.exit_code
