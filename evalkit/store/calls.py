"""The calls of a run: `calls.jsonl`, a line before each call and one after it.

What a killed process had been answered for work it did not finish is answered from here when the
run is resumed, cache or no cache, so that nothing is paid for twice; what was in flight is charged
at its upper bound. The file is its owner's alone and goes once the run is whole.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

from evalkit.records.call import Reply
from evalkit.records.call_log import (
    CallAsked,
    CallEnded,
    CallLine,
    CallsLeft,
    EarlierAnswer,
    ModelGivenUp,
)
from evalkit.records.key_index import KeyIndex
from evalkit.store.files import explained
from evalkit.store.journal import LineFile, read_lines

CALLS = "calls.jsonl"
_LINES: msgspec.json.Decoder[CallLine] = msgspec.json.Decoder(CallLine)


class Journalled:
    """What a run's journal tells of its work: how often each piece was made, and what is done.

    Work is known by 64 bits of a hash, in 17 to 25 bytes a time it was made: two of a million are
    taken for one another once in thirty million runs.
    """

    def __init__(self) -> None:
        """Nothing was made yet."""
        self._made = KeyIndex()
        self._done = bytearray()

    def add(self, work: str, *, done: bool) -> None:
        """One line about a piece of work; `done` where it is not made again."""
        self._made.add(hash(work))
        self._done.append(done)

    def rounds(self, work: str) -> int:
        """How often it was made."""
        return len(self._made.find(hash(work)))

    def is_done(self, work: str) -> bool:
        """Whether it is not made again."""
        return any(self._done[number] for number in self._made.find(hash(work)))


Tell = Callable[[], Journalled]


class _Earlier(msgspec.Struct):
    """What earlier processes left of one piece of work, in the order in which it was written."""

    answers: list[EarlierAnswer] = msgspec.field(default_factory=list)
    usd: float = 0.0
    tries: int = 0


def take_answer(answers: list[EarlierAnswer], key: str) -> Reply | ModelGivenUp | None:
    """The answer to a request among those of one piece of work, taken out of them."""
    for number, (known, answer) in enumerate(answers):
        if known != key or answer is None:
            continue
        if isinstance(answer, ModelGivenUp) and all(
            isinstance(later, ModelGivenUp) for _, later in answers[number + 1 :]
        ):
            continue  # nobody was asked in its place: it may have recovered
        del answers[number]
        return answer
    return None


class WorkCalls:
    """Implements ports.WorkCalls: the calls for one attempt or judgment."""

    def __init__(self, calls: "RunCalls", work: str, round_: int, earlier: _Earlier | None) -> None:
        """Made by `RunCalls.of`."""
        self._calls = calls
        self._work = work
        self._round = round_
        self._answers = [] if earlier is None else earlier.answers
        self.before_usd = 0.0 if earlier is None else earlier.usd
        self.before_tries = 0 if earlier is None else earlier.tries
        if earlier is not None:  # sessions of one piece of work share answers; one tells the sums
            earlier.usd, earlier.tries = 0.0, 0

    def answered(self, key: str) -> Reply | ModelGivenUp | None:
        """What the model said to this very request, or that it was given up for another one which
        was asked then. Each answer stands for one call."""
        return take_answer(self._answers, key)

    def left(self) -> tuple[EarlierAnswer, ...]:
        """What `answered` may still give, by the keys of the requests, in order."""
        return tuple(self._answers)

    def asked(self, key: str, *, usd: float, tokens: int) -> int:
        """Write down that a call is about to leave. Raises StoreError; then it must not."""
        number = self._calls.begin(self._work)
        self._calls.write(
            CallAsked(
                id=number, work=self._work, round=self._round, key=key, usd=usd, tokens=tokens
            )
        )
        return number

    def ended(self, number: int, *, usd: float, tokens: int, reply: Reply | None = None) -> None:
        """Write down how it ended. `reply` is as it may be stored. Raises StoreError."""
        self._calls.write(CallEnded(id=number, usd=usd, tokens=tokens, reply=reply))

    def gave_up(self, key: str, message: str, *, code: str = "", busy: bool = False) -> None:
        """Write down that another model is asked instead. Raises StoreError."""
        self._calls.write(
            ModelGivenUp(
                work=self._work, round=self._round, key=key, message=message, code=code, busy=busy
            )
        )


class RunCalls:
    """Implements ports.CallLog for one run; before it is opened it keeps and knows nothing."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self._path: Path | None = None
        self._file: LineFile | None = None
        self._journalled = Journalled()
        self._finished: Counter[str] = Counter()
        self._earlier: dict[str, _Earlier] = {}
        self._last_id = 0
        self._is_new = False
        # what calls were made for and no line of the journal counts, as what is under way
        self._uncounted: set[str] = set()
        self._encode = msgspec.json.Encoder().encode

    def open(self, path: Path, journalled: Tell) -> CallsLeft:
        """Go on in a run's file, whose lock is held. Raises StoreError.

        `journalled` tells what of the run's work is counted. Calls that were in flight when an
        earlier process was killed are written down as charged at their upper bound, and told.
        """
        self._path = path
        self._is_new = not path.exists()
        if self._is_new:
            return CallsLeft()
        # of what is done and not made again, no reply is kept in memory
        told = self._journalled = journalled()
        begun: dict[int, CallAsked] = {}
        answered = 0
        for line in read_lines(path, _LINES, journal=True):
            match line:
                case CallAsked():
                    begun[line.id] = line
                    self._last_id = max(self._last_id, line.id)
                case CallEnded():
                    asked = begun.pop(line.id, None)
                    if asked is not None and not told.is_done(asked.work):
                        answered += self._take(asked, line)
                case ModelGivenUp() if not told.is_done(line.work):
                    self._known(line.work).answers.append((line.key, line))
        for asked in begun.values():
            lost = CallEnded(id=asked.id, usd=asked.usd, tokens=asked.tokens)
            if not told.is_done(asked.work):
                self._take(asked, lost)
            self.write(lost)
        return CallsLeft(
            lost=len(begun),
            lost_usd=sum(asked.usd for asked in begun.values()),
            answered=answered,
        )

    def _take(self, asked: CallAsked, ended: CallEnded) -> bool:
        """Keep a call that an earlier process made. Returns whether its answer is still to be used
        by work that was not finished."""
        earlier = self._known(asked.work)
        unfinished = asked.round >= self._round(asked.work)
        if unfinished:
            earlier.usd += ended.usd
            earlier.tries += 1
        if ended.reply is not None or unfinished:
            earlier.answers.append((asked.key, ended.reply))
        return unfinished and ended.reply is not None

    def _known(self, work: str) -> _Earlier:
        return self._earlier.setdefault(work, _Earlier())

    def of(self, work: str) -> WorkCalls | None:
        """The calls for a piece of work; None where nothing is written down."""
        if self._path is None or not work:
            return None
        return WorkCalls(self, work, self._round(work), self._earlier.get(work))

    def finished(self, work: str) -> None:
        """A piece of work was journalled: its calls are counted there."""
        self._finished[work] += 1
        self._uncounted.discard(work)

    def _round(self, work: str) -> int:
        """How often a piece of work was made before."""
        return self._journalled.rounds(work) + self._finished[work]

    def counted(self, work: str) -> None:
        """The same of work that is made once in a process, which is no round of its own."""
        self._uncounted.discard(work)

    @property
    def all_counted(self) -> bool:
        """Whether the journal counts every call of the run. Of a run that an earlier process began
        only its file tells."""
        return self._is_new and not self._uncounted

    def begin(self, work: str) -> int:
        """A number that no call of the run has, for one that is made for `work`."""
        self._uncounted.add(work)
        self._last_id += 1
        return self._last_id

    def write(self, line: CallLine) -> None:
        """Hand a line to the operating system. Raises StoreError."""
        assert self._path is not None, "calls are made in a run that was opened"
        if self._file is None:  # a replay makes no calls, and then there is no such file
            self._file = LineFile(self._path, mode=0o600)
        self._file.append(self._encode(line) + b"\n")

    def remove(self) -> None:
        """Forget all of it: the run is whole, nothing will be asked again. Raises StoreError."""
        self.close()
        if self._path is not None:
            with explained("remove", self._path):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None


def unfinished_spent(path: Path, journalled: Tell) -> tuple[float, int]:
    """USD and tokens charged for calls that no journalled attempt or judgment counts; those that
    have not ended count with their upper bound. Raises StoreError."""
    if not path.exists():
        return 0.0, 0
    told = journalled()
    spent: dict[int, tuple[float, int]] = {}
    for line in read_lines(path, _LINES, journal=True):
        match line:
            case CallAsked() if line.round >= told.rounds(line.work):
                spent[line.id] = (line.usd, line.tokens)
            case CallEnded() if line.id in spent:
                spent[line.id] = (line.usd, line.tokens)
    return sum(usd for usd, _ in spent.values()), sum(tokens for _, tokens in spent.values())
