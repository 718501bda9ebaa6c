"""What `evalkit serve` adds to a call: over the upstream itself, and beside litellm's proxy.

    python benchmarks/gateway.py                    # all parts; needs a network once, for litellm
    python benchmarks/gateway.py latency --only direct,full --per-s 200

Everything runs on this machine: an upstream that answers after 50 ms, in a process of its own
(benchmarks/server.py), `evalkit serve`, litellm's proxy in an environment of its own
(benchmarks/peers/versions.toml), and the load, which comes from this process. Who is asked:

- direct   the upstream itself
- full     the gateway, on a route with every policy: personal data and secrets redacted, blocked
           phrases on both sides, a JSON Schema of the answer, lists of tools, a step and caps;
           budgets of run, user, team, org, route and key; trace, access log, and an audit entry for
           each request that is denied, which is one in a hundred and not among the figures
- windows  the same gateway: personal data, secrets and literal phrases looked for in answers
- plain    the same gateway, on a route without policies; budgets, trace and log are the same
- litellm  its proxy: its key is checked and its price list is used, nothing else is turned on

`latency`: 50 and 200 requests a second as a Poisson process, measured from the moment at which each
was due, in rounds that take turns; every figure is given beside its difference to `direct`. Who
answers fewer a second than were sent (`answered_a_s`) does not keep up, and the longer it goes on,
the longer everybody waits; what comes while 900 wait is not sent.
`throughput`: as many as one process answers, 128 at a time, and then two processes of one project.
`streams`: until the first and until the last text, with a word every 10 ms from the upstream.
CPU is that of the process, user and system. Linux only. Prints JSON lines.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.gateway_servers import Asked, cpu_s, start  # noqa: E402 -- run as a script, too
from benchmarks.http_load import Answer, Target, run, send_in_turn, send_on_time  # noqa: E402
from benchmarks.peers.environments import cache_folder  # noqa: E402


def checked(asked: Asked, answers: Sequence[Answer], numbers: Sequence[int]) -> list[Answer]:
    """The answers that count. Raises SystemExit where one is not what its request calls for."""
    kept = []
    for answer, number in zip(answers, numbers, strict=True):
        expected = 403 if asked.is_denied(number) else 200
        if answer.status != expected:
            raise SystemExit(f"{asked.name} answered {answer.status}: {answer.body[:500]!r}")
        if expected == 200:
            kept.append(answer)
    return kept


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p90, p99 and the maximum, in the unit of the values."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(values)}


def beside(mine: dict[str, float], direct: dict[str, float] | None) -> dict[str, float]:
    """What is added to `direct`, percentile by percentile; nothing where that was not measured."""
    return {} if direct is None else {f"added_{key}": mine[key] - direct[key] for key in mine}


@dataclass(frozen=True)
class Turn:
    """What one turn took: CPU a request, how many were answered a second, and how many were not
    sent since too many were waiting."""

    cpu_ms: float
    answered_a_s: float
    not_sent: int


async def send(
    asked: Asked, numbers: Sequence[int], per_s: float, *, stream: bool, target: Target
) -> tuple[list[Answer], Turn]:
    """Send requests of these numbers on time: the answers that count, and what that took."""
    url = asked.more_urls[0] if stream and asked.name == "direct" else asked.url
    requests = [asked.request(number, stream=stream, url=url) for number in numbers]
    before_s = cpu_s(asked.pids)
    tried = await send_on_time(target, requests, per_s, seed=numbers[0])
    used_s = cpu_s(asked.pids) - before_s
    sent = [number for number, answer in zip(numbers, tried, strict=True) if answer is not None]
    answers = [answer for answer in tried if answer is not None]
    took_s = max(answer.done_s for answer in answers) - answers[0].due_s
    return checked(asked, answers, sent), Turn(
        cpu_ms=used_s * 1000 / len(sent),
        answered_a_s=len(sent) / took_s,
        not_sent=len(numbers) - len(sent),
    )


async def measure_on_time(
    everybody: Sequence[Asked], options: argparse.Namespace, *, per_s: float, stream: bool
) -> dict[str, tuple[list[Answer], list[Turn]]]:
    """Rounds in which everybody takes a turn: all answers, and what each turn took."""
    found: dict[str, tuple[list[Answer], list[Turn]]] = {a.name: ([], []) for a in everybody}
    targets = {
        asked.name: Target(asked.more_urls[0] if stream and not asked.pids else asked.url)
        for asked in everybody
    }
    count, number = max(2, round(per_s * options.seconds)), 0
    for _ in range(options.rounds):
        for asked in everybody:
            for size in (max(1, round(per_s * options.warm_up_s)), count):  # the first is start-up
                numbers = range(number, number + size)
                number += size
                answers, took = await send(
                    asked, numbers, per_s, stream=stream, target=targets[asked.name]
                )
            found[asked.name][0].extend(answers)
            found[asked.name][1].append(took)
    for target in targets.values():
        target.close()
    return found


def bench_latency(everybody: Sequence[Asked], options: argparse.Namespace) -> None:
    """Percentiles at fixed rates."""
    for per_s in options.per_s:
        found = run(measure_on_time(everybody, options, per_s=per_s, stream=False))
        direct = None
        for asked in everybody:
            answers, rounds = found[asked.name]
            mine = percentiles([answer.took_ms for answer in answers])
            figures: dict[str, Any] = {"who": asked.name, "per_s": per_s, "n": len(answers)}
            figures |= {f"ms_{key}": value for key, value in mine.items()}
            figures |= beside(mine, direct)
            figures["answered_a_s"] = statistics.median(each.answered_a_s for each in rounds)
            if asked.pids:
                figures["cpu_ms_a_request"] = statistics.median(each.cpu_ms for each in rounds)
            if not_sent := sum(each.not_sent for each in rounds):
                figures["not_sent"] = not_sent
            if asked.name == "direct":
                direct = mine
            say("latency", figures)


def bench_streams(everybody: Sequence[Asked], options: argparse.Namespace) -> None:
    """Until the first text and until the end of streams."""
    found = run(measure_on_time(everybody, options, per_s=options.streams_per_s, stream=True))
    direct: dict[str, dict[str, float]] = {}
    for asked in everybody:
        answers, rounds = found[asked.name]
        figures: dict[str, Any] = {
            "who": asked.name,
            "per_s": options.streams_per_s,
            "n": len(answers),
        }
        for name, values in (
            ("first_text", [answer.first_text_ms for answer in answers]),
            ("end", [answer.took_ms for answer in answers]),
        ):
            mine = percentiles(values)
            added = beside(mine, direct.get(name))
            figures |= {f"{name}_ms_{key}": mine[key] for key in ("p50", "p99")}
            figures |= {
                f"{name}_{key}": added[key] for key in ("added_p50", "added_p99") if key in added
            }
            if asked.name == "direct":
                direct[name] = mine
        if asked.pids:
            figures["cpu_ms_a_stream"] = statistics.median(each.cpu_ms for each in rounds)
        say("streams", figures)


def bench_throughput(everybody: Sequence[Asked], options: argparse.Namespace) -> None:
    """As many requests as are answered, by one process and by all that were started."""
    for asked in everybody:
        spread = [(1, (asked.url,), asked.pids[:1])]
        if asked.pids and len(asked.pids) > 1 and asked.more_urls:
            spread.append((len(asked.pids), (asked.url, *asked.more_urls), asked.pids))
        for processes, urls, pids in spread if asked.pids else [(1, (asked.url,), ())]:
            say("throughput", {"who": asked.name} | _closed(asked, processes, urls, pids, options))


def _closed(
    asked: Asked,
    processes: int,
    urls: Sequence[str],
    pids: Sequence[int],
    options: argparse.Namespace,
) -> dict[str, Any]:
    numbers = [
        number for number in range(10**6, 10**6 + options.requests) if not asked.is_denied(number)
    ]
    requests = [asked.request(number) for number in numbers]
    targets = [Target(url) for url in urls]

    async def measure() -> dict[str, Any]:
        await send_in_turn(targets, requests[: 2 * options.at_once], options.at_once)
        began_s, before_s, own_s = time.perf_counter(), cpu_s(pids), time.process_time()
        answers = await send_in_turn(targets, requests, options.at_once)
        wall_s, used_s = time.perf_counter() - began_s, cpu_s(pids) - before_s
        own_s = time.process_time() - own_s
        for target in targets:
            target.close()
        for answer in answers:
            if answer.status != 200:
                raise SystemExit(f"{asked.name} answered {answer.status}: {answer.body[:500]!r}")
        figures = {
            "processes": processes,
            "at_once": options.at_once,
            "requests_a_s": len(answers) / wall_s,
            "load_cpu_ms_a_request": own_s * 1000 / len(answers),
        }
        if pids:
            figures |= {
                "cpu_ms_a_request": used_s * 1000 / len(answers),
                "busy": used_s / wall_s,
                "requests_a_cpu_s": len(answers) / used_s,
            }
        return figures

    return run(measure())


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line."""
    short = {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what} | short), flush=True)


def tell_missing(who: str, why: str) -> None:
    """One JSON line for who is not measured."""
    say("missing", {"who": who, "why": why})


PARTS = {
    "latency": (bench_latency, ("direct", "full", "plain", "litellm")),
    "throughput": (bench_throughput, ("direct", "full", "plain", "litellm")),
    "streams": (bench_streams, ("direct", "plain", "windows", "full", "litellm")),
}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the parts that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--only", default="", help="names of who is asked, with commas between")
    parser.add_argument("--latency-ms", type=float, default=50.0, help="of the upstream")
    parser.add_argument("--per-s", type=float, nargs="+", default=[50.0, 200.0])
    parser.add_argument("--streams-per-s", type=float, default=20.0)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a turn that is measured")
    parser.add_argument("--warm-up-s", type=float, default=1.5, help="before each of them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=4000, help="of throughput")
    parser.add_argument("--at-once", type=int, default=128, help="of throughput")
    parser.add_argument(
        "--processes", type=int, default=2, help="of `evalkit serve`, in throughput"
    )
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where litellm is kept")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.parts) - set(PARTS)):
        parser.error(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    processes = options.processes
    for part in options.parts or PARTS:
        bench, names = PARTS[part]
        wanted = set(options.only.split(",") if options.only else names)
        options.processes = processes if part == "throughput" else 1
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            made = start(stack, Path(folder), options, wanted, tell_missing)
            bench([made[name] for name in names if name in made], options)


if __name__ == "__main__":
    main()
