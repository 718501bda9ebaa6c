"""Medians, ratios, and how they are printed."""

import statistics
from dataclasses import dataclass, field

from benchmarks.peers.running import Figures, Outcome

RATIO_TO = ("aiohttp", "evalkit")
RATIOS_OF = ("wall_s", "cpu_ms_a_case", "peak_rss_mb")
COLUMNS = (
    ("peer", "name", "{}"),
    ("n", "runs", "{}"),
    ("wall s", "wall_s", "{:.2f}"),
    ("/aiohttp", "wall_s_over_aiohttp", "{:.1f}"),
    ("/evalkit", "wall_s_over_evalkit", "{:.2f}"),
    ("CPU ms", "cpu_ms_a_case", "{:.2f}"),
    ("/aiohttp", "cpu_ms_a_case_over_aiohttp", "{:.1f}"),
    ("/evalkit", "cpu_ms_a_case_over_evalkit", "{:.2f}"),
    ("peak MB", "peak_rss_mb", "{:.0f}"),
    ("in flight", "mean_in_flight", "{:.1f}"),
    ("max", "max_in_flight", "{:.0f}"),
    ("start s", "start_up_s", "{:.2f}"),
    ("first s", "first_request_s", "{:.2f}"),
    ("results MB", "results_mb", "{:.2f}"),
    ("left MB", "left_mb", "{:.2f}"),
)
LEGEND = """\
CPU ms: user and system time of the whole tree of processes, a case. in flight: mean and most that
the server saw. start: --help, or the import of a library. first: until the first request. results
MB: what the tool keeps as its results; left MB: all files it left, caches and logs too."""


@dataclass
class Record:
    """What is known about a peer: its runs, or why there is nothing to compare."""

    name: str
    start_up_s: float | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    not_run: str | None = None

    @property
    def problem(self) -> str | None:
        """Why its figures do not count."""
        if self.not_run:
            return self.not_run
        return next((each.problem for each in self.outcomes if each.problem), None)

    def figures(self) -> Figures:
        """Medians of its runs."""
        names = dict.fromkeys(key for each in self.outcomes for key in each.figures)
        found = {
            name: statistics.median(
                each.figures[name] for each in self.outcomes if name in each.figures
            )
            for name in names
        }
        return found | ({} if self.start_up_s is None else {"start_up_s": self.start_up_s})


def rows(records: list[Record]) -> list[dict[str, object]]:
    """A row a peer: name, runs, problem, medians and, where the work was done, ratios to others."""
    medians = {each.name: each.figures() for each in records if each.problem is None}
    found: list[dict[str, object]] = []
    for each in records:
        figures = each.figures()
        row: dict[str, object] = {
            "name": each.name,
            "runs": len(each.outcomes),
            "problem": each.problem,
        }
        row |= {key: round(value, 3) for key, value in figures.items()}
        if each.problem is None:
            row |= {
                f"{what}_over_{other}": round(figures[what] / medians[other][what], 3)
                for other in RATIO_TO
                if other in medians
                for what in RATIOS_OF
            }
        found.append(row)
    return found


def render(found: list[dict[str, object]]) -> str:
    """Peers that did the work in a table, the others below it by name and reason."""
    lines = [[head for head, _, _ in COLUMNS]]
    for row in found:
        if row["problem"] is None:
            lines.append([form.format(row[key]) if key in row else "" for _, key, form in COLUMNS])
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    text = [
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    failed = [f"{row['name']}: {row['problem']}" for row in found if row["problem"] is not None]
    return "\n".join([*text, "", *failed, *([""] if failed else []), LEGEND])
