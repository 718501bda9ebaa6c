"""Logs of inspect_ai: the archive (.eval) and the JSON form, log version 2.

A sample in an epoch is a case in a trial; the epochs reducer is not applied, since the gate takes
means itself. Scores count as inspect_ai counts them: "C" 1, "I" and "N" (no answer) 0, "P" one
half, yes and true 1, no and false 0. One passes, 0 fails, and for anything between or beyond
`pass_at` has to say where passing begins. A sample that ended in an error or was left unscored
(NaN) has no result. One that ran into a limit keeps the score it was given, except where an
operator stopped it.

Only logs that ended with success and hold all their samples are read.
"""

import lzma
import struct
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import IO, Any

import msgspec

from evalkit.records.results import ResultRow, Results
from evalkit.sources.results.choice import ResultChoice
from evalkit.sources.results.faults import Faults, shown
from evalkit.sources.results.inspect_scores import Scale, choose_scorer, is_unscored, value_of
from evalkit.sources.results.labels import finite_amount, group_name, tag_names
from evalkit.sources.results.tool_json import decode, digest_of, without_constants

if sys.version_info >= (3, 14):
    import zipfile

    from compression.zstd import ZstdError
else:
    from backports.zstd import ZstdError, zipfile  # .eval archives are compressed with zstd

_VERSION = 2
_LARGEST = 1 << 31  # bytes of one member: more than a log of a million samples needs
_THIN = 5_000  # characters that both forms keep of an input or a target
_BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    ZstdError,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    KeyError,
    OSError,
    lzma.LZMAError,
    struct.error,
)


class _Scorer(msgspec.Struct):
    name: str
    options: Any = None


class _Spec(msgspec.Struct):
    task: str
    model: str
    scorers: list[_Scorer] | None = None


class _Totals(msgspec.Struct):
    total_samples: int = 0


class _Header(msgspec.Struct):
    status: str
    eval: _Spec
    version: int = 0
    results: _Totals | None = None
    invalidated: bool = False


class _Score(msgspec.Struct):
    value: Any = None


class _Usage(msgspec.Struct):
    total_tokens: float = 0
    total_cost: float | None = None


class _Metadata(msgspec.Struct):
    tags: Any = None
    group: Any = None


class _Sample(msgspec.Struct):
    """What the JSON form and the archive's summaries both have of a sample."""

    id: int | str
    epoch: int
    input: Any = None
    target: Any = None
    metadata: _Metadata | None = None
    scores: dict[str, _Score] | None = None
    error: Any = None
    limit: Any = None
    model_usage: dict[str, _Usage] = {}
    working_time: float | None = None

    @property
    def values(self) -> dict[str, Any]:
        """What each scorer gave."""
        return {name: score.value for name, score in (self.scores or {}).items()}


class _Log(_Header):
    samples: list[_Sample] | None = None


def read_inspect_json(raw: bytes, choice: ResultChoice, faults: Faults) -> Results:
    """The samples of a log in JSON. Raises ConfigError where it cannot decide or be decided on."""
    log = decode(raw, _Log, faults)
    _check_ended(log, faults)
    return _results(log, log.samples or [], choice, faults)


def read_inspect_archive(file: IO[bytes], choice: ResultChoice, faults: Faults) -> Results:
    """The samples of a log in a .eval archive. Raises ConfigError as `read_inspect_json` does."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "header.json" not in names and "_journal/start.json" in names:
                raise _unfinished("started", faults)
            if "header.json" not in names:
                raise faults.error("is a ZIP archive, but no inspect_ai log: it has no header.json")
            header = _member(archive, "header.json", _Header, faults)
            _check_ended(header, faults)
            samples = _member(archive, "summaries.json", list[_Sample], faults)
            if all(sample.metadata is None for sample in samples):
                # until 2025 summaries had no metadata, and so no groups
                whole = [name for name in dict.fromkeys(names) if name.startswith("samples/")]
                samples = [_member(archive, name, _Sample, faults) for name in whole]
    except _BROKEN_ARCHIVE as error:
        raise faults.error(
            f"is no whole inspect_ai log: {error}",
            suggestion="the eval that wrote it may have been cut off",
        ) from error
    return _results(header, samples, choice, faults)


def _member(archive: zipfile.ZipFile, name: str, kind: type[Any], faults: Faults) -> Any:
    if archive.getinfo(name).file_size > _LARGEST:
        raise faults.error(f"{name} unpacks to more than {_LARGEST:,} bytes")
    return decode(without_constants(archive.read(name)), kind, faults, inside=name)


def _check_ended(header: _Header, faults: Faults) -> None:
    if header.version != _VERSION:
        raise faults.error(
            f"has the log version {header.version}",
            expected=f"version {_VERSION}, which inspect_ai writes since 2024",
        )
    if header.status != "success":
        raise _unfinished(header.status, faults)
    if header.invalidated:
        raise faults.error(
            "has samples that were declared invalid",
            suggestion="run them again: inspect eval-retry",
        )


def _unfinished(status: str, faults: Faults) -> Exception:
    return faults.error(
        f"is the log of an eval that did not end well (status {shown(status)}), so its samples are "
        "not all there",
        suggestion="finish it: inspect eval-retry",
    )


def _results(
    header: _Header, samples: Sequence[_Sample], choice: ResultChoice, faults: Faults
) -> Results:
    if not samples:
        raise faults.error("holds no sample", suggestion="log samples (not --no-log-samples)")
    planned = header.results.total_samples if header.results is not None else len(samples)
    if planned != len(samples):
        raise faults.error(
            f"holds {len(samples)} samples of the {planned} that the eval counts, repeats included",
            suggestion="finish it: inspect eval-retry",
        )
    scorer = choose_scorer((each.values for each in samples), choice.scorer, faults)
    if not scorer and not all(each.error for each in samples):
        raise faults.error("was not scored", suggestion="score it: inspect score")
    scale = Scale(choice.pass_at, faults)
    rows = [_row(sample, scorer, header.eval.model, scale) for sample in samples]
    _check_unique(rows, faults)
    scale.check()
    return Results(
        kind="inspect_ai",
        rows=tuple(rows),
        about=f"inspect_ai, task {header.eval.task}, model {header.eval.model}, "
        + (f"scorer {scorer}" if scorer else "nothing scored"),
        unknown=Counter(reason for each in samples if (reason := _no_result(each, scorer))),
        checks=_checks(header, samples, scorer),
        used=frozenset({"scorer", "pass_at"}),
    )


def _row(sample: _Sample, scorer: str, model: str, scale: Scale) -> ResultRow:
    case = str(sample.id)
    known = _no_result(sample, scorer) is None
    usage = sample.model_usage.get(model)
    metadata = sample.metadata or _Metadata()
    return ResultRow(
        case=case,
        passed=scale.passed(case, value_of(sample.values, scorer)) if known else None,
        trial=sample.epoch - 1,
        group=group_name(metadata.group),
        tags=tag_names(metadata.tags) or (),
        cost_usd=None if usage is None else finite_amount(usage.total_cost),
        tokens=None if usage is None else finite_amount(usage.total_tokens),
        latency_s=finite_amount(sample.working_time),
    )


def _no_result(sample: _Sample, scorer: str) -> str | None:
    """Why there is no result, if there is none."""
    if sample.error is not None:
        return "error"
    limit = sample.limit.get("type") if isinstance(sample.limit, dict) else sample.limit
    if limit == "operator":
        return "stopped by an operator"
    value = value_of(sample.values, scorer)
    if value is None:
        return "not scored"
    return "unscored" if is_unscored(value) else None


def _check_unique(rows: Sequence[ResultRow], faults: Faults) -> None:
    times = Counter((row.case, row.trial) for row in rows)
    for (case, trial), count in times.items():
        if count > 1:
            faults.note(f"sample {shown(case)} is there {count} times in epoch {trial + 1}")
        if trial < 0:
            faults.note(f"sample {shown(case)} is in epoch {trial + 1}", expected="1 or more")


def _checks(header: _Header, samples: Sequence[_Sample], scorer: str) -> dict[str, str]:
    """For each case a digest of its input, its target and the settings of the scorer."""
    name = scorer.rpartition(".")[0] or scorer
    options = [
        each.options
        for each in header.eval.scorers or ()
        if each.name.rpartition("/")[2] in (name, scorer)
    ]
    return {
        str(sample.id): digest_of(_texts(sample.input), _texts(sample.target), options)
        for sample in samples
    }


def _texts(value: Any) -> Any:
    """The texts of an input or a target, as far as both forms of the log keep them."""
    if isinstance(value, str):
        return value[:_THIN]
    if isinstance(value, list):
        return [_texts(each) for each in value]
    if isinstance(value, dict):  # a message, whose id is another in every run
        return [value.get("role"), _texts(value.get("content"))]
    return None
