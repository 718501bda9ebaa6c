"""What report.html costs: to write, and until it can be used in a headless Chromium.

    python benchmarks/report.py                     # 2,000 and 5,000 cases, as text
    python benchmarks/report.py --cases 2000 --json # one JSON line a size

A made-up run (tests/peers/synthetic_run.py): one trial in both arms, 120 words a case, its traces,
scores and tool calls, ten slices, four metrics. `write` is `report_html` of the loaded run, the
fastest of several; `usable` is from the start of the navigation until list, filters and the first
case are drawn and answer, `next case` from the key to the drawn case, `first search` the reading of
every case, once; all three medians. The file is read from disk.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from evalkit.report.html import report_html
from tests.peers.chromium import Chromium, Page, find_browser
from tests.peers.synthetic_run import SyntheticRun

_TIMED = """
(async () => {{
  const drawn = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const start = performance.now();
  {action};
  await drawn();
  return performance.now() - start;
}})()
"""
_SEARCH = """
  const field = document.getElementById("filter-search");
  field.value = "no such words";
  field.dispatchEvent(new Event("input"));
  while (!document.getElementById("found").textContent.startsWith("0 ")) await drawn()
"""
_NEXT = 'document.getElementById("next").click()'


def write_report(cases: int, path: Path, times: int) -> float:
    """Seconds to make the text, the fastest of several."""
    made = SyntheticRun(cases)
    run = made.stored
    comparison = made.compared(run)
    seconds = []
    for _ in range(times):
        started = time.perf_counter()
        text = report_html(run, comparison, traces=made.traces)
        seconds.append(time.perf_counter() - started)
    path.write_text(text, encoding="utf-8")
    return min(seconds)


def timed(page: Page, action: str) -> float:
    """Milliseconds until what an action does is drawn."""
    return float(page.evaluate(_TIMED.format(action=action)))


def read_report(path: Path, times: int) -> dict[str, float]:
    """Medians in milliseconds, each time in a page of its own."""
    program = find_browser()
    if program is None:
        raise SystemExit("no Chromium on the path")
    browser = Chromium(program)
    figures: dict[str, list[float]] = {"usable_ms": [], "next_case_ms": [], "first_search_ms": []}
    try:
        for _ in range(times):
            with browser.open(path.as_uri()) as page:
                mark = "performance.getEntriesByName('evalkit-usable')[0].startTime"
                figures["usable_ms"].append(float(page.evaluate(mark)))
                figures["next_case_ms"].append(timed(page, _NEXT))
                figures["first_search_ms"].append(timed(page, _SEARCH))
    finally:
        browser.close()
    return {name: statistics.median(values) for name, values in figures.items()}


def main() -> None:
    """Measure every size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=int, nargs="+", default=[2000, 5000])
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for cases in arguments.cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            write_s = write_report(cases, path, arguments.times)
            size_mb = path.stat().st_size / 1e6
            figures = {"write_s": write_s, "size_mb": size_mb} | read_report(path, arguments.times)
        rounded = {"cases": cases} | {name: round(value, 3) for name, value in figures.items()}
        if arguments.json:
            print(json.dumps(rounded), flush=True)
        else:
            print(
                f"{cases:,} cases: write {write_s:.2f} s, {size_mb:.1f} MB, usable after "
                f"{figures['usable_ms']:.0f} ms, next case {figures['next_case_ms']:.0f} ms, "
                f"first search {figures['first_search_ms']:.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
