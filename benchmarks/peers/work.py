"""The reference work: cases, what is asked about each, and what right scores come to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.floor import HEADERS, PROMPT

SYSTEM = {"role": "system", "content": "Answer with one label."}
REQUEST = {"model": "bench", "max_tokens": 16, "temperature": 0}
KEY = "benchmark"
WRONG_EVERY = 10  # so that a scorer that lets everything pass is noticed


def expected(number: int) -> str:
    """What a case expects; the server always says `ok`, so a tenth of the cases fails."""
    return "no" if number % WRONG_EVERY == WRONG_EVERY - 1 else "ok"


@dataclass(frozen=True)
class Counts:
    """How many cases a peer passed, of how many that it scored."""

    passed: int
    scored: int


@dataclass(frozen=True)
class Job:
    """What a peer is given, in a folder of its own that is also its home."""

    folder: Path
    url: str
    cases: int
    concurrency: int

    @property
    def cases_file(self) -> Path:
        """`{"id", "text", "expected"}` a line."""
        return self.folder / "cases.jsonl"

    @property
    def file(self) -> Path:
        """The job, for a driver."""
        return self.folder / "job.json"

    @property
    def right(self) -> Counts:
        """The counts of a peer that did the work."""
        return Counts(sum(expected(n) == "ok" for n in range(self.cases)), self.cases)

    def lines(self) -> list[dict[str, str]]:
        """The cases."""
        return [
            {"id": f"c{n:07}", "text": f"{PROMPT}{n}", "expected": expected(n)}
            for n in range(self.cases)
        ]

    def write(self) -> None:
        """The files of every peer; its own are its `prepare`."""
        self.folder.mkdir(parents=True)
        (self.folder / "home").mkdir()
        write_lines(self.cases_file, self.lines())
        job = {
            "url": self.url,
            "key": KEY,
            "headers": HEADERS,
            "system": SYSTEM,
            "request": REQUEST,
            "cases": str(self.cases_file),
            "concurrency": self.concurrency,
        }
        self.file.write_text(json.dumps(job), encoding="utf-8")


def write_lines(path: Path, rows: list[Any]) -> None:
    """JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
