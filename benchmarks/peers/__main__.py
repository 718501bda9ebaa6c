"""Install the peers, let each do the reference work, print what it took and the ratios."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import benchmarks.peers
from benchmarks.peers import measuring
from benchmarks.peers.catalogue import EVALKIT, INSPECT, PEERS, REQUIRED
from benchmarks.peers.comparing import compare_bundles, compare_logs
from benchmarks.peers.environments import OWN, Environment, InstallError, cache_folder, ensure
from benchmarks.peers.running import Figures, do_work, start_up_s
from benchmarks.peers.table import Record, render, rows
from benchmarks.peers.work import Job


def say(message: str) -> None:
    """What is going on, on standard error."""
    print(message, file=sys.stderr, flush=True)


def environment(name: str, cache: Path) -> Environment:
    """Where a peer is installed; raises InstallError."""
    needed = PEERS[name].environment
    if needed is None:
        return OWN
    say(f"{name}: looking into {cache}, or installing it there")
    return ensure(needed, cache)


def measure(
    names: list[str], folder: Path, options: argparse.Namespace
) -> tuple[list[Record], dict[str, Figures]]:
    """Every peer, interleaved, and the comparisons of results; folders are deleted as it goes."""
    records = {name: Record(name) for name in names}
    places: dict[str, Environment] = {}
    for name, record in records.items():
        try:
            places[name] = environment(name, options.cache)
            record.start_up_s = start_up_s(
                PEERS[name], places[name], folder / f"{name}-start", timeout_s=options.timeout_s
            )
        except InstallError as error:
            record.not_run = str(error)
    last: dict[str, Job] = {}
    for turn in range(1, options.times + 1):
        for name in places:
            record = records[name]
            if record.problem or too_slow(record, options.slow_s):
                continue
            outcome = do_work(
                PEERS[name],
                places[name],
                Job(folder / f"{name}-{turn}", "", options.cases, options.concurrency),
                latency_ms=options.latency_ms,
                timeout_s=options.timeout_s,
            )
            record.outcomes.append(outcome)
            took = outcome.problem or f"{outcome.figures['wall_s']:.2f} s"
            say(f"{name}, run {turn}: {took}")
            if name in last and not options.keep:
                shutil.rmtree(last[name].folder)
            last[name] = outcome.job
    compared = {}
    for name, what in ((EVALKIT.name, "evalkit diff"), (INSPECT.name, "two logs of inspect_ai")):
        if name in last and not records[name].problem:
            compared[what] = (
                compare_bundles(last[name], timeout_s=options.timeout_s)
                if name == EVALKIT.name
                else compare_logs(last[name], places[name], timeout_s=options.timeout_s)
            )
    return list(records.values()), compared


def too_slow(record: Record, slow_s: float) -> bool:
    """Whether a run took so long that one is enough."""
    return any(each.figures["wall_s"] > slow_s for each in record.outcomes)


def report(
    records: list[Record], compared: dict[str, Figures], options: argparse.Namespace
) -> None:
    """The table, or JSON lines."""
    found = rows(records)
    setting = {
        "cases": options.cases,
        "latency_ms": options.latency_ms,
        "concurrency": options.concurrency,
        "ideal_s": options.cases * options.latency_ms / 1000 / options.concurrency,
    }
    if options.json:
        for row in found:
            print(json.dumps(row | setting))
        for what, figures in compared.items():
            rounded = {key: round(value, 3) for key, value in figures.items()}
            print(json.dumps({"compared": what, "cases": options.cases} | rounded))
        return
    print(
        "{cases} cases, {latency_ms:g} ms, {concurrency} at once; ideal {ideal_s:.2f} s\n".format(
            **setting
        )
    )
    print(render(found))
    for what, figures in compared.items():
        took = "{wall_s:.2f} s, {peak_rss_mb:.0f} MB".format(**figures) if figures else "failed"
        print(f"comparing results: {what}: {took}")


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers",
        description=(benchmarks.peers.__doc__ or "").split("\n")[0],
    )
    parser.add_argument("--only", metavar="NAME,…", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--skip", metavar="NAME,…", default="", help="all but these")
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--times", type=int, default=3, help="medians of so many, interleaved")
    parser.add_argument("--slow-s", type=float, default=60, help="who takes longer runs once")
    parser.add_argument("--timeout-s", type=float, default=900, help="of one run")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where peers are kept")
    parser.add_argument("--keep", type=Path, help="a new folder for what the runs leave")
    parser.add_argument("--json", action="store_true", help="JSON lines, one a peer")
    options = parser.parse_args(argv)
    options.only = options.only.split(",") if options.only else list(PEERS)
    options.skip = options.skip.split(",") if options.skip else []
    for name in (*options.only, *options.skip):
        if name not in PEERS:
            parser.error(f"unknown peer {name!r}; known: {', '.join(PEERS)}")
    if min(options.cases, options.concurrency, options.times) < 1:
        parser.error("--cases, --concurrency and --times are at least 1")
    options.cache = options.cache.resolve()
    return options


def main(argv: list[str] | None = None) -> int:
    """0: evalkit and the bare clients did the work, those of them that were asked for."""
    options = parse(argv)
    names = [name for name in PEERS if name in options.only and name not in options.skip]
    measuring.adopt_orphans()
    if options.keep:
        options.keep.mkdir(parents=True)
        records, compared = measure(names, options.keep.resolve(), options)
    else:
        with tempfile.TemporaryDirectory(prefix="bench-peers-") as folder:
            records, compared = measure(names, Path(folder), options)
    report(records, compared, options)
    failed = [record for record in records if record.problem]
    required = [record for record in failed if record.name in REQUIRED]
    return 1 if required or len(failed) == len(records) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
