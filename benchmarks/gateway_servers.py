"""Who benchmarks/gateway.py asks: an upstream, `evalkit serve` over it, and litellm's proxy."""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.floor import server
from benchmarks.http_load import post
from benchmarks.peers.environments import InstallError, ensure
from benchmarks.session_cost import CONFIG, SCHEMA, build_prompt

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
def gateway(
    root: Path, log: Path, command: Sequence[str] = tuple(EVALKIT)
) -> Iterator[tuple[str, int]]:
    """`evalkit serve` over a project: its address, with /v1, and the id of its process."""
    with open(log, "wb") as out:
        process = subprocess.Popen([*command, "serve", "--port", "0"], cwd=root, stderr=out)
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
    stack: ExitStack,
    folder: Path,
    options: argparse.Namespace,
    wanted: set[str],
    missing: Callable[[str, str], None],
) -> dict[str, Asked]:
    """Start what is wanted; by name. `missing` is told what cannot be installed, and why."""
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
        made["windows"] = Asked("windows", first, headers, "windows", "windows", pids=pids)
        made["plain"] = Asked(
            "plain", first, headers, "plain", "plain-words", pids=pids, more_urls=more
        )
    if "litellm" in wanted:
        try:
            told, pid = stack.enter_context(litellm(folder, url, words_url, options.cache))
            headers = {"authorization": "Bearer sk-benchmark"}
            made["litellm"] = Asked("litellm", told, headers, "bench", "words", pids=(pid,))
        except InstallError as error:
            missing("litellm", str(error))
    return {name: asked for name, asked in made.items() if name in wanted}
