"""Results of other harnesses: two files in, a verdict out."""

from pathlib import Path

from evalkit.errors import UsageError
from evalkit.gate import compare_results
from evalkit.gate.compare import ResultRow
from evalkit.records.verdict import Verdict
from evalkit.sources.results import RawResult, read_results


def compare_files(base: Path, cand: Path, *, max_drop_pp: float, rule: str) -> Verdict:
    """Gate the results in `cand` against those in `base`.

    Raises ConfigError for files that do not hold results, UsageError for a margin that is none.
    """
    rows = [[_row(raw) for raw in read_results(path)] for path in (base, cand)]
    try:
        return compare_results(rows[0], rows[1], max_drop_pp, rule=rule)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _row(raw: RawResult) -> ResultRow:
    return ResultRow(
        case=raw.case,
        passed=raw.passed,
        trial=raw.trial,
        group=raw.group,
        tags=raw.tags,
        cost_usd=raw.cost_usd,
    )
