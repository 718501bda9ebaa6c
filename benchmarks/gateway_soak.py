"""A soak of `evalkit serve`: does its memory stay flat, and do all books agree in the end?

    python benchmarks/gateway_soak.py   # 100,000 requests, 200 a second, 64 at once

One process serves a route with every policy (that of benchmarks/gateway.py, whose budgets are over
run, user, team, org, route and key), over an upstream that answers at once. Among the requests are
those of all three doors, named sessions of four requests that are ended, streams, and streams whose
client leaves at the first word; requests that a policy denies; keys that are made and revoked on
the way, unknown keys, unknown routes, bodies that are no JSON. After each part of 5,000, while
nothing is under way, a JSON line tells what the process holds. After the first part, which is sent
as fast as it goes, the rate is a steady one (0: as fast as it goes), for what the limits of
providers remember of the last minute grows with it.

Ends with 1 where any of this does not hold:

- every request got the status that is due to it;
- memory is flat: after the first fifth, by least squares, what its allocators have handed out grows
  by less than half a block of Python's and 50 bytes of malloc's a request, and its resident memory
  (which holds what they keep for later, too) by less than `--bytes`; open files are those of the
  connections;
- the upstream answered as many calls as clients heard of, the ledger charged what it answered
  (what a left stream is charged is estimated, and told as such), `/metrics` says the same, nothing
  is held, no trace is lost: there is one for each session.

Linux with glibc only: the process is `evalkit serve` under benchmarks/gateway_census.py.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import signal
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.floor import server, server_counters  # noqa: E402 -- run as a script, too
from benchmarks.gateway_servers import (  # noqa: E402
    ANSWER,
    DENIED,
    WORDS,
    cpu_s,
    gateway,
    write_project,
)
from benchmarks.http_load import Target, post, run  # noqa: E402
from benchmarks.session_cost import build_prompt  # noqa: E402
from evalkit.records.ledger import KeyCaps  # noqa: E402
from evalkit.store.gateway_keys import GatewayKeys  # noqa: E402
from evalkit.store.ledger import SqliteAccounts  # noqa: E402
from evalkit.workflows.wiring import SystemClock  # noqa: E402

CENSUS = Path(__file__).with_name("gateway_census.py")
PART = 5_000
WARM_UP = 0.2
BYTES = 150.0
MOST_BLOCKS, MOST_MALLOC_BYTES = 0.5, 50.0
INPUT_TOKENS, OUTPUT_TOKENS = 500, 20
IN_A_SESSION = 4
# what of a hundred requests is what; the rest are whole answers at the door of chat completions
SHARES = {
    "messages": 8,
    "responses": 8,
    "session": 8,
    "stream": 6,
    "left": 4,
    "denied": 2,
    "unknown key": 1,
    "unknown route": 1,
    "no JSON": 1,
    "models": 1,
}
STATUS = {"denied": 403, "unknown key": 401, "unknown route": 404, "no JSON": 400}
ANSWERED = ("chat", "messages", "responses", "session")


@dataclass
class Heard:
    """What clients saw. `wrong` are statuses that were not due."""

    requests: int = 0
    of_kind: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    wrong: Counter[str] = field(default_factory=Counter)


class Clients:
    """Who asks: some keys, of which the oldest is revoked with each part and a new one made."""

    def __init__(self, url: str, root: Path, *, seed: int) -> None:
        """`url` ends with /v1."""
        self._url = url
        self._file = GatewayKeys(root, now=lambda: datetime.now(UTC))
        self._chance = random.Random(seed)
        self._number = 0
        self._target = Target(url)
        self._keys: list[tuple[str, str]] = []
        self.heard = Heard()
        for _ in range(20):
            self._add_key()

    def _add_key(self) -> None:
        who = f"user-{len(self._keys) + self._number}"
        caps = KeyCaps(max_usd=1000, window="month")
        secret, kept = self._file.add(user=who, org="bench", team="support", caps=caps)
        self._keys.append((secret, kept.id))

    def change_keys(self) -> None:
        """Between parts: nothing is under way."""
        self._file.revoke(self._keys.pop(0)[1])
        self._add_key()

    def close(self) -> None:
        """Close connections."""
        self._target.close()

    async def send(self, count: int, at_once: int, per_s: float) -> None:
        """About so many requests, so many at a time, at that rate; 0: as fast as it goes."""
        until = self.heard.requests + count
        loop = asyncio.get_running_loop()
        began_s, before = loop.time(), self.heard.requests
        kinds = [*SHARES, "chat"]
        weights = [*SHARES.values(), 100 - sum(SHARES.values())]

        async def work() -> None:
            while self.heard.requests < until:
                if per_s:
                    # each task takes its turn: what is due is what the rate calls for by now
                    ahead = self.heard.requests - before - per_s * (loop.time() - began_s)
                    if ahead > 0:
                        await asyncio.sleep(ahead / per_s * self._chance.uniform(0.5, 1.5))
                        continue
                kind = self._chance.choices(kinds, weights)[0]
                if kind == "session":
                    # as many requests of sessions as the share says
                    if self._chance.random() < 1 / IN_A_SESSION:
                        await self._hold_session()
                elif kind == "left":
                    await self._leave()
                else:
                    await self._ask(kind)

        await asyncio.gather(*(work() for _ in range(at_once)))

    async def _ask(self, kind: str, headers: dict[str, str] | None = None) -> None:
        request = self._request(kind, headers or {})
        self._count(kind)
        answer = await self._target.ask(request, 0.0)
        if answer.status != STATUS.get(kind, 200):
            self.heard.wrong[f"{kind} {answer.status} {answer.body[:200]!r}"] += 1

    async def _hold_session(self) -> None:
        """Four requests of one workflow, and the word that it has ended."""
        self.heard.sessions += 1
        key = self._key()
        named = {"x-evalkit-session": f"s-{self.heard.sessions}", "authorization": f"Bearer {key}"}
        for _ in range(IN_A_SESSION):
            await self._ask("session", named)
        at = urlsplit(self._url)
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        end = f"DELETE /v1/evalkit/session HTTP/1.1\r\nhost: {at.netloc}\r\n{head}\r\n"
        self._count("end of session")
        answer = await self._target.ask(end.encode(), 0.0)
        if answer.status != 200:
            self.heard.wrong[f"end of session {answer.status} {answer.body[:200]!r}"] += 1

    async def _leave(self) -> None:
        """A stream that is left at its first word."""
        at = urlsplit(self._url)
        reader, writer = await asyncio.open_connection(at.hostname, at.port)
        writer.write(self._request("stream", {}))
        self._count("left")
        heard = b""
        while b'"content":"The' not in heard:
            part = await reader.read(65_536)
            heard += part
            if not part or not heard.startswith(b"HTTP/1.1 200"):
                self.heard.wrong[f"left {heard[:200]!r}"] += 1
                break
        writer.close()
        await writer.wait_closed()

    def _count(self, kind: str) -> None:
        self.heard.requests += 1
        self.heard.of_kind[kind] += 1

    def _key(self) -> str:
        return self._chance.choice(self._keys)[0]

    def _request(self, kind: str, headers: dict[str, str]) -> bytes:
        self._number += 1
        headers = {"authorization": f"Bearer {self._key()}", "x-evalkit-step": "answer"} | headers
        if kind == "models":
            at = urlsplit(self._url)
            bearer = headers["authorization"]
            return (
                f"GET /v1/models HTTP/1.1\r\nhost: {at.netloc}\r\nauthorization: {bearer}\r\n\r\n"
            ).encode()
        system, user = (message.content for message in build_prompt(self._number))
        if kind == "denied":
            user += f" {DENIED}"
        turns = [{"role": "user", "content": user}]
        path, body = (
            "chat/completions",
            {
                "model": "bench",
                "messages": [{"role": "system", "content": system}, *turns],
            },
        )
        if kind == "messages":
            path, body = (
                "messages",
                {
                    "model": "bench",
                    "max_tokens": 200,
                    "system": system,
                    "messages": turns,
                },
            )
        elif kind == "responses":
            path, body = (
                "responses",
                {
                    "model": "bench",
                    "instructions": system,
                    "input": user,
                    "store": False,
                },
            )
        elif kind == "stream":
            del headers["x-evalkit-step"]
            body |= {"model": "windows", "stream": True}
        elif kind == "unknown key":
            headers["authorization"] = f"Bearer ek-0123456789-{self._number:043d}"
        elif kind == "unknown route":
            body["model"] = f"route-{self._number}"
        sent = b"{" if kind == "no JSON" else json.dumps(body).encode()
        return post(f"{self._url}/{path}", sent, headers)


def resident_bytes(pid: int) -> int:
    """What a process holds in memory now."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def figures_of(url: str, root: Path) -> Counter[str]:
    """What /metrics says: each sample over all labels, tokens by kind as well."""
    secret, kept = GatewayKeys(root, now=lambda: datetime.now(UTC)).add(purpose="metrics")
    address = f"{url.removesuffix('/v1')}/metrics"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=60) as reply:
        text = reply.read().decode()
    GatewayKeys(root, now=lambda: datetime.now(UTC)).revoke(kept.id)
    added: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("evalkit_"):
                added[sample.name] += sample.value  # type: ignore[assignment]
                if sample.name == "evalkit_tokens_total":
                    added[sample.labels["kind"]] += sample.value  # type: ignore[assignment]
    return added


def ledger_of(root: Path) -> dict[str, int]:
    """What the ledger says of the org that all keys are of, over all months."""
    accounts = SqliteAccounts(root, clock=SystemClock(), run="soak")
    found = accounts.find("month org ", "", most=100).values()
    accounts.close()
    return {
        "nano": sum(each.spent.nano for each in found),
        "tokens": sum(each.spent.tokens for each in found),
        "held_tokens": sum(each.held.tokens for each in found),
    }


def traces_in(root: Path) -> int:
    """Lines of the project's trace files."""
    count = 0
    for path in (root / ".evalkit/traces").glob("*.jsonl"):
        with open(path, "rb") as file:
            while part := file.read(1 << 20):
                count += part.count(b"\n")
    return count


@dataclass(frozen=True)
class Held:
    """What the process holds after so many requests: resident bytes, blocks of Python's allocator,
    bytes that malloc handed out, open files."""

    requests: int
    resident: int
    blocks: int
    malloc: int
    files: int


def look_at(pid: int, census: Path, requests: int) -> Held:
    """Ask the process, which answers within moments."""
    told = census.read_text().splitlines() if census.exists() else []
    os.kill(pid, signal.SIGUSR1)
    until_s = time.monotonic() + 60
    while len(lines := census.read_text().splitlines() if census.exists() else []) <= len(told):
        if time.monotonic() > until_s:
            raise SystemExit("the gateway does not answer SIGUSR1")
        time.sleep(0.02)
    line = json.loads(lines[-1])
    return Held(
        requests,
        resident_bytes(pid),
        line["blocks"],
        line["malloc"],
        len(os.listdir(f"/proc/{pid}/fd")),
    )


def slope(held: Sequence[Held], name: str) -> float:
    """Growth a request by least squares, after the warm-up."""
    kept = [each for each in held if each.requests >= WARM_UP * held[-1].requests]
    if len(kept) < 2:
        return 0.0
    sizes = [getattr(each, name) for each in kept]
    return statistics.linear_regression([each.requests for each in kept], sizes).slope


async def soak(clients: Clients, pid: int, census: Path, options: argparse.Namespace) -> list[Held]:
    """Part after part; what the process holds after each."""
    held: list[Held] = []
    began_s = time.monotonic()
    while clients.heard.requests < options.requests:
        part_s = time.monotonic()
        used_s, before = cpu_s([pid]), clients.heard.requests
        count = min(PART, options.requests - before)
        # at first as much at once as there ever is: what allocators keep for that, they keep
        await clients.send(count, options.at_once, options.per_s if before else 0)
        clients.close()
        took_s, used_s = time.monotonic() - part_s, cpu_s([pid]) - used_s
        now = look_at(pid, census, clients.heard.requests)
        held.append(now)
        figures = {
            "requests": now.requests,
            "rss_mb": now.resident / 1e6,
            "python_blocks": now.blocks,
            "malloc_mb": now.malloc / 1e6,
            "open_files": now.files,
            "requests_a_s": (now.requests - before) / took_s,
            "cpu_ms_a_request": 1000 * used_s / (now.requests - before),
        }
        say("part", figures)
        clients.change_keys()
    say("took", {"wall_s": time.monotonic() - began_s})
    return held


def judge(
    heard: Heard, books: dict[str, Any], figures: Counter[str], ledger: dict[str, int]
) -> dict[str, bool]:
    """What has to hold, by name."""
    answered = sum(heard.of_kind[kind] for kind in ANSWERED)
    streams, left = heard.of_kind["stream"], heard.of_kind["left"]
    whole = round(figures["input"] / INPUT_TOKENS)
    sessions = answered - heard.of_kind["session"] + streams + left + heard.of_kind["denied"]
    return {
        "statuses": not heard.wrong,
        "upstream_calls": books["whole"] == answered and books["words"] == streams + left,
        # one that is left may have been answered whole before that was noticed
        "answers": answered + streams <= whole <= answered + streams + left
        and figures["input"] == whole * INPUT_TOKENS
        and figures["output"] == whole * OUTPUT_TOKENS,
        "tokens": ledger["tokens"] == figures["input"] + figures["output"] + figures["left"],
        "usd": abs(ledger["nano"] / 1e9 - figures["evalkit_usd_total"]) < 1e-6,
        "requests": figures["evalkit_requests_total"] - books["scrapes"] == heard.requests,
        "nothing_held": not ledger["held_tokens"],
        "nothing_open": not figures["evalkit_in_flight"] and not figures["evalkit_open_sessions"],
        "traces": books["traces"] == sessions + heard.sessions
        and not figures["evalkit_lost_traces"],
    }


def settled(url: str, root: Path) -> Iterator[Counter[str]]:
    """Figures until nothing is under way any more: what was left ends within a moment."""
    until_s = time.monotonic() + 30
    while True:
        figures = figures_of(url, root)
        yield figures
        if not figures["evalkit_in_flight"] or time.monotonic() > until_s:
            return
        time.sleep(0.1)


def say(what: str, figures: dict[str, Any]) -> None:
    """One JSON line."""
    short = {k: float(f"{v:.5g}") if isinstance(v, float) else v for k, v in figures.items()}
    print(json.dumps({"what": what} | short), flush=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run it and hold the books against each other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=float, default=BYTES, help="growth a request that is flat")
    parser.add_argument("--per-s", type=float, default=200.0, help="requests a second")
    options = parser.parse_args(argv)
    tokens = ["--input-tokens", str(INPUT_TOKENS), "--output-tokens", str(OUTPUT_TOKENS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        server(0, "--content", ANSWER, *tokens) as whole,
        server(0, "--content", WORDS, "--token-ms", "5", *tokens) as words,
    ):
        root = Path(folder) / "project"
        root.mkdir()
        write_project(root, whole, words)
        # no connection is closed as idle in the very moment in which it is used again
        config = root / "evalkit.yaml"
        kept = config.read_text().replace("gateway: {", "gateway: {keep_alive_s: 3600, ")
        config.write_text(kept)
        census = Path(folder) / "census.jsonl"
        command = [sys.executable, str(CENSUS), str(census)]
        with gateway(root, Path(folder) / "serve.log", command) as (url, pid):
            with closing(Clients(url, root, seed=options.seed)) as clients:
                held = run(soak(clients, pid, census, options))
            *_, figures = scrapes = list(settled(url, root))
            ledger = ledger_of(root)
            books = {
                "whole": server_counters(whole)["requests"],
                "words": server_counters(words)["requests"],
                "traces": traces_in(root),
                "scrapes": len(scrapes) - 1,
            }
    say("heard", {"requests": clients.heard.requests, **clients.heard.of_kind})
    say("books", books | ledger | {k: figures[k] for k in ("input", "output", "left")})
    grows = {name: slope(held, name) for name in ("blocks", "malloc", "resident")}
    say("grows_a_request", grows)
    holds = judge(clients.heard, books, figures, ledger) | {
        "memory_flat": grows["blocks"] < MOST_BLOCKS
        and grows["malloc"] < MOST_MALLOC_BYTES
        and grows["resident"] < options.bytes,
        "files_flat": held[-1].files < 2 * options.at_once + 50,
    }
    say("holds", holds)
    for each, times in clients.heard.wrong.most_common(10):
        print(times, each, file=sys.stderr)
    sys.exit(0 if all(holds.values()) else 1)


if __name__ == "__main__":
    main()
