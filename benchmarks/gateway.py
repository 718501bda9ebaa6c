"""What `evalkit serve` adds to a call: over the upstream itself, and beside litellm's proxy.

    python benchmarks/gateway.py                    # all parts; needs a network once, for litellm
    python benchmarks/gateway.py latency --only direct,full

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

`latency`: 200 requests a second as a Poisson process, measured from the moment at which each was
due, in rounds that take turns; every figure is given beside its difference to `direct`.
`throughput`: as many as one process answers, 128 at a time, and then two processes of one project.
`streams`: until the first and until the last text, with a word every 10 ms from the upstream.
CPU is that of the process, user and system. Linux only. Prints JSON lines.
"""

import argparse
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.floor import server  # noqa: E402 -- run as a script, too
from benchmarks.http_load import Answer, Target, post, run, send_in_turn, send_on_time  # noqa: E402
from benchmarks.peers.environments import InstallError, cache_folder, ensure  # noqa: E402
from benchmarks.session_cost import CONFIG, SCHEMA, build_prompt  # noqa: E402

EVALKIT = [sys.executable, "-m", "evalkit"]
ROUTES = """\
- {name: plain, models: {primary: tiny}, max_tokens: 256}
- {name: plain-words, models: {primary: words}, max_tokens: 256}
- name: windows
  models: {primary: words}
  max_tokens: 256
  policies:
    pii: {mode: redact}
    secrets: {mode: redact}
    blocked_phrases: ["as an unpaid intern", {text: "internal use only", mode: redact}]
"""
ANSWER = '{"answer": "It is on its way, and [EMAIL_1] hears of it there.", "order": "ORD-17"}'
WORDS = (
    "The parcel left the depot in the morning and is on its way now. The driver has your number "
    "and rings before the door. Nothing more has to be done today."
)
DENIED = "about project falcon"
DENY_EVERY = 100
TOKEN_MS = 10.0
LITELLM = """\
model_list:
- {{model_name: bench, litellm_params: {{model: openai/bench, api_base: "{url}", api_key: x}}}}
- {{model_name: words, litellm_params: {{model: openai/bench, api_base: "{words}", api_key: x}}}}
general_settings: {{master_key: sk-benchmark}}
"""
LITELLM_ENV = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is fetched
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_TELEMETRY": "False",
}
START_S = 120


@dataclass(frozen=True)
class Asked:
    """Who is asked, and how: `model` for whole answers, `words` for streams."""

    name: str
    url: str
    headers: dict[str, str]
    model: str
    words: str
    denies: bool = False
    pids: tuple[int, ...] = ()
    more_urls: tuple[str, ...] = field(default=())

    def request(self, number: int, *, stream: bool = False, url: str = "") -> bytes:
        """The request of that number; no two have the same text."""
        messages = [{"role": m.role, "content": m.content} for m in build_prompt(number)]
        if self.is_denied(number):
            messages[-1]["content"] += f" {DENIED}"
        body: dict[str, Any] = {"model": self.words if stream else self.model, "messages": messages}
        if stream:
            body["stream"] = True
        return post(
            f"{url or self.url}/chat/completions", json.dumps(body).encode(), dict(self.headers)
        )

    def is_denied(self, number: int) -> bool:
        """Whether its policies refuse the request of that number."""
        return self.denies and number % DENY_EVERY == DENY_EVERY - 1


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time of processes so far, threads that ended included."""
    return sum(time.clock_gettime((~pid << 3) | 2) for pid in pids)  # as clock_getcpuclockid(3)


def write_project(root: Path, url: str, words_url: str) -> None:
    """A project whose route `bench` has every policy, over both upstreams."""
    words = (
        "models:\n  words: {provider: words, id: bench, price: {input_usd_per_mtok: 1.0, "
        "output_usd_per_mtok: 4.0}}\n"
    )
    config = CONFIG.replace("http://127.0.0.1:9/v1", url).replace("models:\n", words, 1)
    config = config.replace(
        "providers:\n", f'providers:\n  words: {{kind: openai, base_url: "{words_url}"}}\n'
    )
    config = config.replace("budgets:\n", f"{ROUTES}budgets:\n- {{scope: key, max_usd: 1000}}\n")
    (root / "evalkit.yaml").write_text(config + "gateway: {access_log: stderr}\n", encoding="utf-8")
    (root / "answer.json").write_text(json.dumps(SCHEMA), encoding="utf-8")


def add_key(root: Path) -> str:
    """A key with caps of its own."""
    command = [*EVALKIT, "key", "add", "--user", "ada", "--org", "bench", "--team", "support"]
    command += ["--max-usd", "1000", "--window", "month"]
    return subprocess.run(
        command, cwd=root, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


@contextmanager
def stopping(process: subprocess.Popen[bytes]) -> Iterator[int]:
    """Its id while it runs; it is told to stop in the end."""
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=40)


@contextmanager
def gateway(root: Path, log: Path) -> Iterator[tuple[str, int]]:
    """`evalkit serve` over a project: its address, with /v1, and the id of its process."""
    with open(log, "wb") as out:
        process = subprocess.Popen([*EVALKIT, "serve", "--port", "0"], cwd=root, stderr=out)
    with stopping(process) as pid:
        until_s = time.monotonic() + START_S
        while not (told := re.search(r"listening at (http://\S+?);", log.read_text())):
            if process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"evalkit serve did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield f"{told[1]}/v1", pid


@contextmanager
def litellm(root: Path, url: str, words_url: str, cache: Path) -> Iterator[tuple[str, int]]:
    """litellm's proxy, in one process. Raises InstallError."""
    where = ensure("litellm", cache)
    (root / "litellm.yaml").write_text(LITELLM.format(url=url, words=words_url), encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(Path(where.python).with_name("litellm")), "--config", str(root / "litellm.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    log = root / "litellm.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, cwd=root, env=os.environ | LITELLM_ENV, stdout=out, stderr=out
        )
    with stopping(process) as pid:
        until_s = time.monotonic() + START_S
        while not _alive(f"http://127.0.0.1:{port}/health/liveliness"):
            if process.poll() is not None or time.monotonic() > until_s:
                raise SystemExit(f"litellm did not start:\n{log.read_text()}")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1", pid


def _alive(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def start(
    stack: ExitStack, folder: Path, options: argparse.Namespace, wanted: set[str]
) -> dict[str, Asked]:
    """Start what is wanted; by name."""
    prose = ["--content", WORDS, "--token-ms", str(TOKEN_MS)]
    url = stack.enter_context(server(options.latency_ms, "--content", ANSWER))
    words_url = stack.enter_context(server(options.latency_ms, *prose))
    made = {"direct": Asked("direct", url, {}, "bench", "bench", more_urls=(words_url,))}
    if wanted & {"full", "windows", "plain"}:
        project = folder / "project"
        project.mkdir()
        write_project(project, url, words_url)
        headers = {"authorization": f"Bearer {add_key(project)}"}
        served = [
            stack.enter_context(gateway(project, folder / f"serve{number}.log"))
            for number in range(options.processes)
        ]
        first, pids = served[0][0], tuple(pid for _, pid in served)
        more = tuple(each for each, _ in served[1:])
        step = headers | {"x-evalkit-step": "answer"}
        made["full"] = Asked("full", first, step, "bench", "bench", True, pids, more)
        made["windows"] = Asked("windows", first, headers, "windows", "windows", True, pids)
        made["plain"] = Asked("plain", first, headers, "plain", "plain-words", False, pids, more)
    if "litellm" in wanted:
        try:
            told, pid = stack.enter_context(litellm(folder, url, words_url, options.cache))
            headers = {"authorization": "Bearer sk-benchmark"}
            made["litellm"] = Asked("litellm", told, headers, "bench", "words", pids=(pid,))
        except InstallError as error:
            say("litellm", {"not_measured": str(error)})
    return {name: asked for name, asked in made.items() if name in wanted}


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


async def send(
    asked: Asked, numbers: Sequence[int], per_s: float, *, stream: bool, target: Target
) -> tuple[list[Answer], float]:
    """Send requests of these numbers on time: the answers that count, and CPU ms a request."""
    url = asked.more_urls[0] if stream and asked.name == "direct" else asked.url
    requests = [asked.request(number, stream=stream, url=url) for number in numbers]
    before_s = cpu_s(asked.pids)
    answers, not_sent = await send_on_time(target, requests, per_s, seed=numbers[0])
    used_s = cpu_s(asked.pids) - before_s
    if not_sent:
        raise SystemExit(f"{asked.name} does not keep up with {per_s:g} requests a second")
    return checked(asked, answers, numbers), used_s * 1000 / len(numbers)


async def measure_on_time(
    everybody: Sequence[Asked], options: argparse.Namespace, *, per_s: float, stream: bool
) -> dict[str, tuple[list[Answer], list[float]]]:
    """Rounds in which everybody takes a turn: all answers, and CPU ms a request of each round."""
    found: dict[str, tuple[list[Answer], list[float]]] = {a.name: ([], []) for a in everybody}
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
                answers, cpu_ms = await send(
                    asked, numbers, per_s, stream=stream, target=targets[asked.name]
                )
            found[asked.name][0].extend(answers)
            found[asked.name][1].append(cpu_ms)
    for target in targets.values():
        target.close()
    return found


def bench_latency(everybody: Sequence[Asked], options: argparse.Namespace) -> None:
    """Percentiles at a fixed rate."""
    found = run(measure_on_time(everybody, options, per_s=options.per_s, stream=False))
    direct = None
    for asked in everybody:
        answers, cpu_ms = found[asked.name]
        mine = percentiles([answer.took_ms for answer in answers])
        figures: dict[str, Any] = {"who": asked.name, "per_s": options.per_s, "n": len(answers)}
        figures |= {f"ms_{key}": value for key, value in mine.items()}
        figures |= beside(mine, direct)
        if asked.pids:
            figures["cpu_ms_a_request"] = statistics.median(cpu_ms)
        if asked.name == "direct":
            direct = mine
        say("latency", figures)


def bench_streams(everybody: Sequence[Asked], options: argparse.Namespace) -> None:
    """Until the first text and until the end of streams."""
    found = run(measure_on_time(everybody, options, per_s=options.streams_per_s, stream=True))
    direct: dict[str, dict[str, float]] = {}
    for asked in everybody:
        answers, cpu_ms = found[asked.name]
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
            figures["cpu_ms_a_stream"] = statistics.median(cpu_ms)
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
    parser.add_argument("--per-s", type=float, default=200.0)
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
            made = start(stack, Path(folder), options, wanted)
            bench([made[name] for name in names if name in made], options)


if __name__ == "__main__":
    main()
