"""What a judge adds to a run: the same cases with and without a judge scorer, in one session.

    python benchmarks/judging_cost.py                # 2,000 cases, 5 ms, 32 at once

Every case costs one call, and one more where it is judged (no two outputs are equal subjects, so
nothing is shared). `judging_cpu_ms_a_case` is the difference of the two runs; it holds a whole
further call: its prompt rendered and fenced, sent, charged, read, journalled and scored. Beside it
`runner_cpu_ms_a_case` is what the runner itself takes for a case. Last comes the same judged run
again with its cache. Prints JSON lines; figures are medians within this one run.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from floor import server  # noqa: E402 -- sibling scripts, not a package
from runner import EVALKIT, make_project, measure, say  # noqa: E402

REPLY = json.dumps({"reason": "It keeps to what was asked.", "evidence": "", "verdict": "pass"})
RUBRIC = """\
name: bench
version: 1
scale: {kind: binary, pass: It answers the question., fail: It does not.}
criteria: [Says what was asked for., Is polite., Invents nothing.]
judge:
  route: judge
  prompt: |
    Assess the reply by each criterion:
    {% for c in criteria %}{{ loop.index }}. {{ c }}
    {% endfor %}
    {{ input.text | data("QUESTION") }}
    {{ output | data("REPLY") }}
calibration: {labelled_by: anyone}
"""
JUDGE_ROUTE = "  - {name: judge, models: {primary: bench}, max_tokens: 100}\nbudgets:"
JUDGE = "scorers: [{exact: {}}, {judge: {rubric: bench@v1, spot_checks: 0}, gate: false}]"


def make(root: Path, url: str, cases: int, concurrency: int, *, judged: bool) -> None:
    """The runner's project, with replies that match, and with a judge where asked for."""
    make_project(root, url, cases, concurrency)
    golden = root / "goldensets/bench/v1/cases.jsonl"
    expected = json.dumps({"output": REPLY})
    golden.write_text(golden.read_text().replace('{"output": "ok"}', expected))
    config = root / "evalkit.yaml"
    text = config.read_text().replace("max_tokens: 16", "max_tokens: 100")
    if judged:
        text = text.replace("budgets:", JUDGE_ROUTE, 1).replace("scorers: [{exact: {}}]", JUDGE)
        (root / "rubrics/bench").mkdir(parents=True, exist_ok=True)
        (root / "rubrics/bench/v1.yaml").write_text(RUBRIC)
    config.write_text(text)


def main() -> None:
    """Measure with and without a judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--latency-ms", type=float, default=5.0)
    parser.add_argument("--times", type=int, default=3, help="medians of so many")
    arguments = parser.parse_args()
    cpu: dict[str, list[float]] = {"plain": [], "judged": [], "again": []}
    for _ in range(arguments.times):
        for name in ("plain", "judged"):
            with (
                tempfile.TemporaryDirectory() as folder,
                server(arguments.latency_ms, "--content", REPLY) as url,
            ):
                root = Path(folder)
                make(root, url, arguments.cases, arguments.concurrency, judged=name == "judged")
                cpu[name].append(measure([*EVALKIT, "run", "--quiet"], root)["cpu_s"])
                if name == "judged":
                    cpu["again"].append(measure([*EVALKIT, "run", "--quiet"], root)["cpu_s"])
    ms = {name: statistics.median(seen) * 1000 / arguments.cases for name, seen in cpu.items()}
    added = ms["judged"] - ms["plain"]
    say(
        "judging",
        {
            "cases": arguments.cases,
            "runner_cpu_ms_a_case": ms["plain"],
            "judging_cpu_ms_a_case": added,
            "ratio": added / ms["plain"],
            "judged_again_from_cache_cpu_ms_a_case": ms["again"],
        },
    )


if __name__ == "__main__":
    main()
