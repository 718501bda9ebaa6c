"""How fast chunks are ranked: bm25s over folders, our own for a case's documents, rank-bm25 beside.

    python benchmarks/retrieval.py        # rank-bm25 is measured where it is installed

Texts of 100 words drawn from a vocabulary of 20,000 by Zipf's law, queries of 10.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

from evalkit.control.retrieval.case_documents import rank
from evalkit.control.retrieval.ranking import Bm25Ranker
from evalkit.records.case import Document

SIZES = (10, 82, 1_000, 10_000)
QUERIES = 50


def texts(count: int, words: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    vocabulary = [f"w{number}" for number in range(20_000)]
    weights = [1 / (number + 1) for number in range(20_000)]
    return [" ".join(draw.choices(vocabulary, weights, k=words)) for _ in range(count)]


def timed(work: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - started)


def import_ms(module: str) -> float:
    """What importing adds to a process that has numpy, as one with pandas has."""
    program = (
        "import numpy, time; t = time.perf_counter(); "
        f"import {module}; print(1000 * (time.perf_counter() - t))"
    )
    runs = [
        float(subprocess.check_output([sys.executable, "-c", program], text=True)) for _ in range(3)
    ]
    return min(runs)


def main() -> None:
    queries = texts(QUERIES, 10, seed=2)
    modules = ["bm25s", *(["rank_bm25"] if find_spec("rank_bm25") else [])]
    for module in modules:
        print(f"import {module}: {import_ms(module):.0f} ms")
    for size in SIZES:
        chunks = texts(size, 100, seed=1)
        documents = [Document(id=str(n), index="kb", text=text) for n, text in enumerate(chunks)]
        Bm25Ranker(["warm up"])  # the first one imports the library
        built = timed(lambda chunks=chunks: Bm25Ranker(chunks))
        ranker = Bm25Ranker(chunks)
        found = min(timed(lambda q=q, r=ranker: r.order(q)) for q in queries)
        line = f"{size:6} chunks: bm25s index {built:.1f} ms, query {found:.3f} ms"
        if size <= 1_000:
            ours = min(timed(lambda q=q, d=documents: rank(d, q)) for q in queries)
            line += f"; ours {ours:.3f} ms a query, no index"
        if "rank_bm25" in modules:
            from rank_bm25 import BM25Okapi

            other = BM25Okapi([chunk.split() for chunk in chunks])
            theirs = min(timed(lambda q=q, o=other: o.get_scores(q.split())) for q in queries)
            line += f"; rank-bm25 {theirs:.3f} ms a query"
        print(line)


if __name__ == "__main__":
    main()
