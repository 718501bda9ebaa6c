"""One run of a peer: a server and a folder of its own, the process, and what came of it."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.floor import server, server_counters
from benchmarks.peers import measuring
from benchmarks.peers.catalogue import Peer, environ
from benchmarks.peers.environments import Environment, InstallError
from benchmarks.peers.work import Job

Figures = dict[str, float]


@dataclass(frozen=True)
class Outcome:
    """Figures of one run, and why they do not count where they do not."""

    job: Job
    figures: Figures
    problem: str | None


def execute(
    peer: Peer, command: list[str], job: Job, *, timeout_s: float, log: str = "output.log"
) -> measuring.Usage:
    """A command of a peer in the job's folder."""
    return measuring.run(
        command,
        cwd=job.folder,
        environ=environ(peer, job),
        log=job.folder / log,
        timeout_s=timeout_s,
    )


def start_up_s(peer: Peer, where: Environment, folder: Path, *, timeout_s: float) -> float:
    """Seconds of `--help` or of an import: the median of three after one that warms caches."""
    job = Job(folder, url="", cases=0, concurrency=1)
    job.write()
    command = peer.start_up(where)
    seen = [execute(peer, command, job, timeout_s=timeout_s).wall_s for _ in range(4)]
    return statistics.median(seen[1:])


def do_work(
    peer: Peer, where: Environment, job: Job, *, latency_ms: float, timeout_s: float
) -> Outcome:
    """The reference work once; `job` is told the server's address."""
    with server(latency_ms) as url:
        job = Job(job.folder, url, job.cases, job.concurrency)
        job.write()
        peer.prepare(job)
        given = set(job.folder.rglob("*"))
        try:
            usage = execute(peer, peer.command(where, job), job, timeout_s=timeout_s)
        except (OSError, InstallError) as error:
            return Outcome(job, {}, f"cannot be started: {error}")
        seen = server_counters(url)
    figures = _figures(peer, job, usage, seen) | {"left_mb": _megabytes(job, given, "**/*")}
    return Outcome(job, figures, _problem(peer, where, job, usage, seen))


def _figures(peer: Peer, job: Job, usage: measuring.Usage, seen: dict[str, Any]) -> Figures:
    figures = {
        "wall_s": usage.wall_s,
        "cpu_ms_a_case": usage.cpu_s * 1000 / job.cases,
        "peak_rss_mb": usage.peak_rss_mb,
        "requests": seen["requests"],
        "max_in_flight": seen["max_in_flight"],
        "results_mb": _megabytes(job, set(), *peer.results),
    }
    first, last = seen["first_request_s"], seen["last_answer_s"]
    if first is not None and last is not None:
        figures["first_request_s"] = first - usage.began_s
        figures["after_last_answer_s"] = usage.began_s + usage.wall_s - last
        figures["mean_in_flight"] = seen["busy_s"] / max(last - first, 1e-9)
    return figures


def _megabytes(job: Job, without: set[Path], *globs: str) -> float:
    files = {path for glob in globs for path in job.folder.glob(glob) if path.is_file()}
    ours = {job.folder / name for name in ("output.log", "passed.json")}
    return sum(path.stat().st_size for path in files - without - ours) / 1e6


def _problem(
    peer: Peer, where: Environment, job: Job, usage: measuring.Usage, seen: dict[str, Any]
) -> str | None:
    """Why the run is no measurement of the work."""
    if usage.code is None:
        return f"stopped after {usage.wall_s:.0f} s, {seen['requests']} requests made"
    if usage.code not in peer.codes:
        said = (job.folder / "output.log").read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        return f"ended with {usage.code}: {(lines or ['without a word'])[-1]}"
    if seen["requests"] != job.cases:
        return f"made {seen['requests']} requests for {job.cases} cases"
    try:
        counts = peer.count(where, job)
    except (OSError, ValueError, LookupError, TypeError, json.JSONDecodeError) as error:
        return f"its results cannot be read: {error!r}"
    if counts != job.right:
        return (
            f"passed {counts.passed} of {counts.scored} cases, "
            f"right is {job.right.passed} of {job.right.scored}"
        )
    return None
