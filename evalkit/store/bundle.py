"""One run on disk: `.evalkit/runs/<id>/`, from its first byte to its reports."""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from evalkit.errors import StoreError
from evalkit.records.attempt import Attempt, Place
from evalkit.records.call import Decision, Origin, Usage, Usd
from evalkit.records.call_log import CallsLeft, attempt_work, judgment_work
from evalkit.records.judgment import Judgment
from evalkit.records.run import RunRecord, StoredRun, SuiteRecord, SuiteSnapshot, TraceRecord
from evalkit.records.score import Score
from evalkit.store.attempt_lines import HELD_BYTES, AttemptLines
from evalkit.store.calls import CALLS, Journalled, RunCalls, unfinished_spent
from evalkit.store.files import drop_unfinished, explained, read_whole, write_beside, write_whole
from evalkit.store.journal import (
    ATTEMPTS,
    JUDGMENTS,
    TRACES,
    RunJournal,
    decode_line,
    raw_lines,
    read_lines,
)
from evalkit.store.keeping import Keeping
from evalkit.store.labels import run_labels
from evalkit.store.schema import decode_record
from evalkit.store.score_lines import ScoreLines
from evalkit.store.score_spool import ScoreSpool
from evalkit.store.snapshots import CaseLines, cases_name, decode_snapshot, encode_snapshot
from evalkit.store.trace_lines import TraceLines

RECORD = "run.json"
SCORES = "scores.jsonl"
ASSETS = "assets"
# what a trace's line has behind its place; within a text a backslash would stand before each quote
_AFTER_PLACE = b',"decisions":'
_JUDGMENTS = msgspec.json.Decoder(Judgment)
_Line = TypeVar("_Line", bound=Attempt | Score | Judgment)


class _AttemptLine(msgspec.Struct, frozen=True):
    suite: str
    variant: str
    case: str
    trial: int
    state: str = "error"


class _BilledLine(msgspec.Struct, frozen=True):
    origin: Origin | None = None
    billed_usd: Usd = 0.0
    usage: Usage = Usage()


class _JudgmentLine(msgspec.Struct, frozen=True):
    suite: str
    rubric: str
    subject: str
    shared: bool = False


class Bundle:
    """Reads and writes one run's folder, and nothing outside of it, whatever stands in there.

    Everything that writes replaces a file as a whole, apart from the journal, which appends. Every
    method raises StoreError where the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        """A bundle in that folder; nothing is read yet."""
        self.path = path

    @property
    def id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    def _inside(self, *names: str) -> Path:
        """A file of the bundle. Raises StoreError where a link would lead out of it."""
        path = self.path
        for name in names:
            path = path / name
            if path.is_symlink():
                raise StoreError(f"{path} is a symlink, and evalkit writes none: move it aside")
        return path

    def write_record(self, record: RunRecord) -> None:
        """Replace run.json."""
        write_whole(self.path / RECORD, _readable(record))

    def read_record(self) -> RunRecord:
        """run.json. Raises StoreError for a newer schema, a damaged file or none."""
        path = self._inside(RECORD)
        try:
            return decode_record(read_whole(path), path)
        except FileNotFoundError as error:
            raise StoreError(f"{self.path} holds no {RECORD}, so it is no run bundle") from error

    def write_snapshot(self, snapshot: SuiteSnapshot, keeping: Keeping | None = None) -> None:
        """Replace assets/<suite>.cases.jsonl and assets/<suite>.json, which counts its lines; with
        `keeping` once that is waited for."""
        lines = CaseLines(snapshot.cases)
        keep_cases = write_beside(self._inside(ASSETS, cases_name(snapshot.suite)), lines)
        path = self._inside(ASSETS, f"{snapshot.suite}.json")
        keep_rest = write_beside(path, _indented(encode_snapshot(snapshot, lines.digest)))
        for keep in (keep_cases, keep_rest):
            keep() if keeping is None else keeping.begin(keep)

    def snapshots(self) -> tuple[SuiteSnapshot, ...]:
        """The snapshots of the record's suites, in its order.

        Raises StoreError for a lost one, and for one that is not what the record says was run.
        """
        return tuple(map(self._read_snapshot, self.read_record().suites))

    def _read_snapshot(self, suite: SuiteRecord) -> SuiteSnapshot:
        path = self._inside(ASSETS, f"{suite.suite}.json")
        try:
            snapshot = decode_snapshot(
                read_whole(path), self._inside(ASSETS, cases_name(suite.suite))
            )
        except FileNotFoundError as error:
            words = f"{path} is missing, so suite {suite.suite} cannot be scored"
            raise StoreError(words) from error
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise StoreError(f"{path} is damaged ({error})") from error
        for what, ran, kept in (
            ("cases", suite.cases, len(snapshot.cases)),
            ("trials", suite.trials, snapshot.trials),
            ("gate", suite.gate, snapshot.gate),
            ("scorers", suite.scorers, snapshot.scorers),
        ):
            if ran != kept:
                raise StoreError(f"{path} holds other {what} than {RECORD} says were run")
        return snapshot

    def journal(self, calls: RunCalls | None = None) -> RunJournal:
        """The run's journal, opened for appending; it holds the run's lock until it is closed.

        It tells `calls` what it counts from then on.

        Open it before looking at `attempts`, so that nobody else writes in between. Raises
        StoreError, with the other's process id, while another process has it open.
        """
        with explained("make", self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        told = calls or RunCalls()
        journal = RunJournal(self.path, counted=told.counted, finished=told.finished)
        for folder in (self.path, self.path / ASSETS):
            drop_unfinished(folder)
        return journal

    def open_calls(self, calls: RunCalls) -> CallsLeft:
        """Go on with the calls of the run, whose journal is open; what was left of them."""
        return calls.open(self._inside(CALLS), self._journalled)

    def _journalled(self) -> Journalled:
        """What of the run's work the journal counts."""
        told = Journalled()
        attempts = read_lines(
            self._inside(ATTEMPTS), msgspec.json.Decoder(_AttemptLine), journal=True
        )
        for line in attempts:
            work = attempt_work((line.suite, line.variant, line.case, line.trial))
            told.add(work, done=line.state != "error")
        judgments = read_lines(
            self._inside(JUDGMENTS), msgspec.json.Decoder(_JudgmentLine), journal=True
        )
        for judged in judgments:
            if not judged.shared:  # an opinion that was taken over asked nobody
                work = judgment_work(judged.suite, judged.rubric, judged.subject)
                told.add(work, done=False)
        return told

    def attempts(self, *, held_bytes: int = HELD_BYTES) -> AttemptLines:
        """One attempt a place, the last one that was journalled, in the order of first lines; a
        file of up to `held_bytes` is kept in memory."""
        return AttemptLines(self._inside(ATTEMPTS), held_bytes=held_bytes)

    def spent(
        self, attempts: AttemptLines | None = None, calls: RunCalls | None = None
    ) -> tuple[float, int]:
        """USD billed and tokens used by every line of the journal, also those made again, by its
        judges, and by calls for what was not finished.

        `attempts` were read from it, and `calls` are open: what they know is not read again.
        """
        usd, tokens = self._billed() if attempts is None else (attempts.billed_usd, attempts.tokens)
        for judgment in read_lines(self._inside(JUDGMENTS), _JUDGMENTS, journal=True):
            # an opinion that was taken over was paid for where it was asked for
            for call in () if judgment.shared else judgment.opinion.calls:
                if call.billed_usd or call.origin == "live":
                    usd += call.billed_usd
                    tokens += call.usage.total
        if calls is None or not calls.all_counted:
            more_usd, more_tokens = unfinished_spent(self._inside(CALLS), self._journalled)
            usd, tokens = usd + more_usd, tokens + more_tokens
        return usd, tokens

    def _billed(self) -> tuple[float, int]:
        """The same of its attempts alone."""
        usd, tokens = 0.0, 0
        decoder = msgspec.json.Decoder(_BilledLine)
        for attempt in read_lines(self._inside(ATTEMPTS), decoder, journal=True):
            if attempt.billed_usd or attempt.origin == "live":
                usd += attempt.billed_usd
                tokens += attempt.usage.total
        return usd, tokens

    def judgments(self) -> tuple[Judgment, ...]:
        """One judgment a judge scorer and place, the last one that was journalled."""
        latest: dict[tuple[str, Place], Judgment] = {}
        for judgment in read_lines(self._inside(JUDGMENTS), _JUDGMENTS, journal=True):
            latest[judgment.scorer, judgment.place] = judgment
        return tuple(latest.values())

    def traces(
        self, *, suite: str | None = None, case: str | None = None
    ) -> tuple[TraceRecord, ...]:
        """One trace a place, the last one that was journalled, of one suite or case if named."""
        latest: dict[Place, TraceRecord] = {}
        for trace in self._traces(
            lambda place: suite in (None, place[0]) and case in (None, place[2])
        ):
            latest[trace.place] = trace
        return tuple(latest.values())

    def trace_lines(self) -> TraceLines:
        """What finds the trace of an attempt by its place."""
        return TraceLines(self._inside(TRACES))

    def decisions_at(self, cases: Collection[tuple[str, str]]) -> dict[Place, tuple[Decision, ...]]:
        """The decisions of the attempts at some cases, each a suite and an id."""
        wanted = frozenset(cases)
        traces = self._traces(lambda place: (place[0], place[2]) in wanted)
        return {trace.place: trace.decisions for trace in traces}

    def _traces(self, wanted: Callable[[Place], bool]) -> Iterator[TraceRecord]:
        """The lines of traces.jsonl about the places that are wanted; of others only the place is
        read."""
        whole, place = msgspec.json.Decoder(TraceRecord), msgspec.json.Decoder(_AttemptLine)
        path = self._inside(TRACES)
        for number, line in raw_lines(path, journal=True):
            head, found, _ = line.partition(_AFTER_PLACE)
            at = decode_line(head + b"}" if found else line, place, path, number)
            if wanted((at.suite, at.variant, at.case, at.trial)):
                yield decode_line(line, whole, path, number)

    def write_scores(self, scores: Iterable[Score]) -> None:
        """Replace scores.jsonl."""
        encode = msgspec.json.Encoder().encode
        write_whole(self.path / SCORES, (encode(score) + b"\n" for score in scores))

    def score_spool(self) -> ScoreSpool:
        """Where the scores of a run are written while it is under way."""
        return ScoreSpool(self.path / SCORES)

    def read_scores(self, attempts: AttemptLines | None = None) -> ScoreLines:
        """scores.jsonl; empty for a run that was not scored. `attempts` are those of the bundle."""
        found = self.attempts() if attempts is None else attempts
        return ScoreLines(self._inside(SCORES), found)

    def write_report(
        self, name: str, text: str | Iterable[str], keeping: Keeping | None = None
    ) -> Path:
        """Replace a report such as report.md, given whole or in pieces, and return its path; with
        `keeping` once that is waited for."""
        path = self.path / name
        pieces = (text,) if isinstance(text, str) else text
        keep = write_beside(path, (piece.encode("utf-8", "replace") for piece in pieces))
        keep() if keeping is None else keeping.begin(keep)
        return path

    def discard(self) -> None:
        """Remove what there is of a run that came to nothing, as far as the disk lets it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def load(self, *, scored: bool = True) -> StoredRun:
        """The whole bundle as it stands there; its scores are not read unless it is `scored`."""
        record, snapshots, attempts = self.read_record(), self.snapshots(), self.attempts()
        return StoredRun(
            path=str(self.path),
            record=record,
            snapshots=snapshots,
            attempts=attempts,
            scores=self.read_scores(attempts) if scored else (),
            judgments=self.judgments(),
            labels=run_labels(self.path),
        )

    def load_whole(self, *, scored: bool = True) -> StoredRun:
        """As `load`: a bundle of which every line is about what the run had.

        Raises StoreError for a line about a case, suite or variant that it did not have.
        """
        run = self.load(scored=scored)
        files: tuple[tuple[str, Iterable[Attempt | Score | Judgment]], ...] = (
            (ATTEMPTS, run.attempts),
            (SCORES, run.scores),
            (JUDGMENTS, run.judgments),
        )
        for name, lines in files:
            for _ in self.known(name, lines, run.record, run.snapshots):
                pass
        return run

    def known(
        self,
        name: str,
        lines: Iterable[_Line],
        record: RunRecord,
        snapshots: Iterable[SuiteSnapshot],
    ) -> Iterator[_Line]:
        """The lines of the file `name`, each of which has to be about what the run had.

        Raises StoreError for a line about a case, suite or variant that it did not have.
        """
        cases = {each.suite: each.cases for each in snapshots}
        variants = {each.suite: {one.variant for one in each.variants} for each in record.suites}
        for line in lines:
            there = cases.get(line.suite)
            if there is None or not (
                there.has(line.case) and line.variant in variants.get(line.suite, ())
            ):
                raise StoreError(
                    f"{self.path / name} tells of case {line.case!r} of suite {line.suite!r} "
                    f"as {line.variant!r}, which the run did not have; restore the file, or remove "
                    "the line"
                )
            yield line


def _readable(value: msgspec.Struct) -> bytes:
    return _indented(msgspec.json.encode(value))


def _indented(encoded: bytes) -> bytes:
    return msgspec.json.format(encoded, indent=2) + b"\n"
