"""Comparing two results: `evalkit diff` of two bundles, and two logs of inspect_ai."""

import shutil

from benchmarks.floor import server
from benchmarks.peers.catalogue import DRIVERS, EVALKIT, INSPECT, Peer
from benchmarks.peers.environments import OWN, Environment
from benchmarks.peers.running import Figures, execute
from benchmarks.peers.work import Job


def compare_bundles(job: Job, *, timeout_s: float) -> Figures:
    """`evalkit diff` of the job's bundle with that of a second run; {} if one of them fails."""
    with server(0) as url:
        settings = job.folder / "evalkit.yaml"
        text = settings.read_text(encoding="utf-8").replace(job.url, url)
        settings.write_text(text, encoding="utf-8")
        execute(EVALKIT, EVALKIT.command(OWN, job), job, timeout_s=timeout_s)
    runs = sorted(path.name for path in (job.folder / ".evalkit/runs").iterdir())
    return _measure(EVALKIT, [*EVALKIT.program, "diff", *runs], job, timeout_s)


def compare_logs(job: Job, where: Environment, *, timeout_s: float) -> Figures:
    """The job's log against a copy of it; {} if that fails."""
    (log,) = job.folder.glob("logs/*.eval")
    copy = shutil.copy(log, job.folder / "copy.eval")
    command = [where.python, str(DRIVERS / "inspect_compare.py"), str(log), str(copy)]
    return _measure(INSPECT, command, job, timeout_s)


def _measure(peer: Peer, command: list[str], job: Job, timeout_s: float) -> Figures:
    usage = execute(peer, command, job, timeout_s=timeout_s, log="compared.log")
    if usage.code != 0:
        return {}
    return {"wall_s": usage.wall_s, "cpu_s": usage.cpu_s, "peak_rss_mb": usage.peak_rss_mb}
