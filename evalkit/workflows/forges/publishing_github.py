"""`evalkit publish github`: summary, annotations, one comment, a check with the verdict.

Each is published for itself: what fails is reported and keeps nothing else from being published, so
that a run that fails its gate is always seen.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from evalkit.ports import Clock, Transport
from evalkit.workflows.forges.github_context import github_headers, read_context, read_token
from evalkit.workflows.forges.github_job import GithubJob, GithubRequest
from evalkit.workflows.forges.host_api import HostApi
from evalkit.workflows.forges.publishing import Publication, load_subject
from evalkit.workflows.forges.publishing_dry import DryRun

__all__ = ["GithubRequest", "publish_github"]


def publish_github(
    root: Path,
    run: str | None,
    request: GithubRequest,
    *,
    environ: Mapping[str, str] = os.environ,
    transport: Transport,
    clock: Clock,
) -> Publication:
    """Publish the last run, or the stored run of that name.

    Raises UsageError, StoreError and ConfigError where nothing was published; what fails later is
    among the publication's problems.
    """
    context = read_context(
        environ, repo=request.repo, pr=request.pr, sha=request.sha, api_url=request.api_url
    )
    subject = load_subject(root, run, environ=environ)
    dry = DryRun() if request.dry_run else None
    token = None if dry is not None else read_token(environ, request.token_env)
    api = HostApi(
        host="GitHub",
        base_url=context.api_url,
        headers=github_headers(token),
        transport=transport if dry is None else dry,
        clock=clock,
    )
    job = GithubJob(request=request, context=context, subject=subject, api=api, token=token)
    publication = asyncio.run(job.run())
    if dry is not None:
        publication.requests = dry.requests
    return publication
