"""Fuzz targets of files that stand on a disk: replies written down, results, private state."""

import io
import json
import zipfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from evalkit.control.providers.recording import RecordingProvider
from evalkit.control.providers.scripted import ScriptedProvider
from evalkit.records.approval import ApprovalAsked
from evalkit.records.call import Attribution, Message, Reply, Request, Usage
from evalkit.records.ledger import Account, Amount, Limit
from evalkit.records.span import SessionTrace, Span
from evalkit.sources.results import read_results
from evalkit.sources.rubrics import read_rubric
from evalkit.store.approvals import ApprovalStore
from evalkit.store.archive import RunArchive
from evalkit.store.audit import AuditFile, verify_file
from evalkit.store.cache import ReplyCache
from evalkit.store.history import open_history
from evalkit.store.labels import LabelFile
from evalkit.store.ledger import SqliteAccounts
from evalkit.store.prices import StoredPrices
from evalkit.store.recordings import RecordingWriter
from evalkit.store.runs import RunStore
from evalkit.store.spot_checks import SpotChecks
from evalkit.store.traces import TraceStore
from evalkit.store.vectors import VectorCache
from evalkit.workflows.judges.import_rows import RowDefaults, RowProblems, read_rows
from tests.faults.fuzzing.memory_tree import DATA, PROJECT, MemoryTree
from tests.faults.fuzzing.target import Target
from tests.unit.control.providers.fakes import FixedClock

RESULTS = DATA.parent / "results"
_KEY = "cd01e6e0642f0d9d9d93e1ab315e04c1182a650168753f44db8e636ac0957edc"
_REPLY = Reply(
    content="yes",
    model="tiny",
    usage=Usage(input_tokens=3, output_tokens=1),
    origin="live",
    measurement_id="m",
    measured_at="2026-11-24T12:00:00.000+00:00",
    latency_s=0.5,
)
_ASKED = Request(
    model="tiny",
    messages=(Message(role="user", content="Is 1 less than 2?"),),
    key=_KEY,
    attribution=Attribution(suite="ask", case="c1", prompt="ask@v1"),
)


@cache
def _folder() -> "TemporaryDirectory[str]":
    """A folder that is gone with this process."""
    return TemporaryDirectory(prefix="evalkit-fuzz-")


def _placed(path: str, raw: bytes) -> Path:
    """A project with that file in it. Returns its root."""
    root = Path(_folder().name)
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    for beside in place.parent.glob(f"{place.name}*"):
        beside.unlink()
    place.write_bytes(raw)
    return root


def _read_recordings(raw: bytes) -> None:
    root = _placed("recordings/tiny/ask.jsonl", raw)
    folder = root / "recordings"
    RecordingProvider(folder / "tiny", name="r", model="tiny", identity="i").missing(_ASKED)
    writer = RecordingWriter(folder)
    kept = writer.read("tiny", "ask")
    assert len(writer.write("tiny", "ask", kept).read_bytes().splitlines()) <= len(kept)


def _read_script(raw: bytes) -> None:
    root = _placed("scripted/ask.jsonl", raw)
    ScriptedProvider(root / "scripted/ask.jsonl", name="s", clock=FixedClock()).missing(_ASKED)


def _read_results(ending: str, raw: bytes) -> None:
    read_results(_placed(f"results.{ending}", raw) / f"results.{ending}")


def _import_labels(raw: bytes) -> None:
    problems = RowProblems("labels.csv")
    defaults = RowDefaults(labeller="lea", by="person", at="2026-11-29")
    read_rows(raw, read_rubric(MemoryTree(PROJECT), "tone@v1"), problems, defaults)
    problems.check()


def _read_prices(raw: bytes) -> None:
    store = StoredPrices(_placed(".evalkit/prices.json", raw))
    store.get(("a",))
    store.put(("a",), {"x": 1})


def _read_label_file(raw: bytes) -> None:
    root = _placed("labels.jsonl", raw)
    file = LabelFile(root / "labels.jsonl", root / "lock")
    item = file.find("16c45d68546eb4ef")
    if item is not None:
        file.put([item])


def _read_queue(raw: bytes) -> None:
    root = _placed(".evalkit/spot_checks/tone@v1.jsonl", raw)
    SpotChecks(root).put("tone@v1", SpotChecks(root).waiting("tone@v1"))


def _read_traces(raw: bytes) -> None:
    traces = TraceStore(_placed(".evalkit/traces/2026-11-24.jsonl", raw))
    for trace in traces.newest():
        msgspec.json.encode(trace)


def _audit(root: Path) -> AuditFile:
    return AuditFile(root, now=_now, redact=lambda text: text)


def _read_audit(raw: bytes) -> None:
    root = _placed(".evalkit/audit/log.jsonl", raw)
    log = _audit(root)
    verify_file(log.path)
    log.verify()
    msgspec.json.encode(list(log.entries()))
    log.append("approval.granted", {"user": "lea"}, {"tool": "pay"})


def _audited() -> Sequence[bytes]:
    """A log with two entries."""
    log = _audit(_placed(".evalkit/audit/log.jsonl", b""))
    log.path.unlink()
    log.append("approval.granted", {"user": "lea"}, {"tool": "pay"})
    log.append("approval.denied", {"user": "lea"}, {"tool": "pay"})
    return [log.path.read_bytes()]


def _read_archive(raw: bytes) -> None:
    root = _placed("archive.zip", b"")
    archive = RunArchive(raw, name="archive.zip", max_bytes=1 << 20)
    archive.last()
    for folder in archive.runs():
        archive.place(folder, RunStore(root), main=False)


def _read_history(raw: bytes) -> None:
    root = _placed(".evalkit/history.db", raw)
    with closing(open_history(root, busy_timeout_s=0.1)) as history:
        history.runs()
        history.flakes("ask", "x")
        history.trends(suite="ask")


def _read_approvals(raw: bytes) -> None:
    root = _placed(".evalkit/approvals.db", raw)
    store = ApprovalStore(root, now=_now, busy_timeout_s=0.1)
    asked = ApprovalAsked(
        route="ask", tool="t", team="leads", identity="u", digest="d", expires_s=9, arguments={}
    )
    store.claim(asked)
    for each in store.all():
        msgspec.json.encode(each)


def _read_cache(raw: bytes) -> None:
    root = _placed(".evalkit/cache.sqlite3", raw)
    with ReplyCache(root, busy_timeout_s=0.1) as replies:
        replies.get("k")
        replies.prune(before=_now(), max_bytes=None, dry_run=True)


def _read_ledger(raw: bytes) -> None:
    root = _placed(".evalkit/ledger.db", raw)
    account = Account(key="day user u 2026-11-24", keep_until=2_000_000_000)
    with closing(SqliteAccounts(root, clock=FixedClock(), run="r", patience_s=0.1)) as accounts:
        accounts.hold_now(Amount(5, 5), [Limit(account=account, max_nano=10)])
        accounts.balances([account])


def _read_vectors(raw: bytes) -> None:
    root = _placed(".evalkit/cache/embeddings.sqlite3", raw)
    with closing(VectorCache(root)) as vectors:
        vectors.get(["a"])


def _now() -> datetime:
    return datetime(2026, 11, 24, 12, tzinfo=UTC)


def _results(*names: str) -> Sequence[bytes]:
    return [(RESULTS / name).read_bytes() for name in names]


def _small_log() -> Sequence[bytes]:
    """A log of inspect_ai with two samples."""
    log = json.loads((RESULTS / "inspect_ai/epochs.json").read_bytes())
    log["samples"] = log["samples"][:2]
    log["results"]["total_samples"] = 2
    return [json.dumps({key: log[key] for key in log if key != "plan"}).encode()]


def _archive() -> Sequence[bytes]:
    """An archive with a run's record, which is none."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("runs/20261124T193301Z-3f2a/run.json", "{}")
        archive.writestr("last.json", json.dumps({"schema": "evalkit.last/1"}))
    return [packed.getvalue()]


def _made(path: str) -> Sequence[bytes]:
    """What a store leaves at `path` once it was used in an empty project."""
    reader = {
        ".evalkit/history.db": _read_history,
        ".evalkit/approvals.db": _read_approvals,
        ".evalkit/cache.sqlite3": _read_cache,
        ".evalkit/ledger.db": _read_ledger,
        ".evalkit/cache/embeddings.sqlite3": _read_vectors,
    }[path]
    reader(b"")
    return [(Path(_folder().name) / path).read_bytes()]


def _trace() -> Sequence[bytes]:
    span = Span(operation="chat", name="tiny", start_ns=1, end_ns=2, attributes={"a": 1})
    trace = SessionTrace(
        trace_id="0" * 32, at="2026-11-24T12:00:00+00:00", route="a", spans=(span,)
    )
    return [msgspec.json.encode(trace) + b"\n"]


_PLAIN = b"case,passed,trial,group,tags,cost_usd\na,true,1,g,x y,0.5\nb,false,1,,,\n"
_LINES = (
    b'{"case": "a", "passed": true, "tags": ["x"], "cost_usd": 0.5}\n{"case": "b", "passed": 0}\n'
)
_SHEET = (
    b"input,output,label,labeller,by,at,note\n"
    b'"{""question"": ""Is 1 less than 2?""}",yes,pass,lea,person,2026-11-29,\n'
)
_REPLIES = b'{"case":"c1","key":"k","prompt":"ask@v1","reply":%s}\n' % msgspec.json.encode(_REPLY)

TARGETS = (
    Target(
        "recordings", lambda: [PROJECT["recordings/tiny/ask.jsonl"], _REPLIES], _read_recordings
    ),
    Target("script", lambda: [PROJECT["scripted/ask.jsonl"]], _read_script),
    Target("results_csv", lambda: [_PLAIN], partial(_read_results, "csv")),
    Target("results_jsonl", lambda: [_LINES], partial(_read_results, "jsonl")),
    Target(
        "results_promptfoo",
        lambda: _results("promptfoo/lost.json", "promptfoo/repeats.jsonl"),
        partial(_read_results, "json"),
    ),
    Target("results_inspect", _small_log, partial(_read_results, "json")),
    Target(
        "results_archive",
        lambda: _results("inspect_ai/started.eval", "inspect_ai/failed.eval"),
        partial(_read_results, "eval"),
    ),
    Target("results_junit", lambda: _results("junit/jest.xml"), partial(_read_results, "xml")),
    Target("label_import", lambda: [_SHEET], _import_labels),
    Target("label_file", lambda: [PROJECT["rubrics/tone/v1.labels.jsonl"]], _read_label_file),
    Target("spot_checks", lambda: [PROJECT["rubrics/tone/v1.labels.jsonl"]], _read_queue),
    Target("prices", lambda: [b'{"a": {"x": [1, 2]}}'], _read_prices),
    Target("traces", _trace, _read_traces),
    Target("audit", _audited, _read_audit),
    Target("archive", _archive, _read_archive),
    Target("history", lambda: _made(".evalkit/history.db"), _read_history),
    Target("approvals", lambda: _made(".evalkit/approvals.db"), _read_approvals),
    Target("cache", lambda: _made(".evalkit/cache.sqlite3"), _read_cache),
    Target("ledger", lambda: _made(".evalkit/ledger.db"), _read_ledger),
    Target("vectors", lambda: _made(".evalkit/cache/embeddings.sqlite3"), _read_vectors),
)
