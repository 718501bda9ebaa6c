"""The calls for one attempt, whichever workers make it: the journal's lines, and what is not asked
again where a worker dies."""

from evalkit.ports import WorkCalls
from evalkit.records.call_log import EarlierAnswer, ModelGivenUp
from evalkit.workflows.runs.engines.messages import Answered, Asked, Ended, GaveUp, OfCalls


class AttemptCalls:
    """Writes down what workers tell of their calls, and keeps what they were answered."""

    def __init__(self, journal: WorkCalls | None) -> None:
        """`journal` is the run's, for this attempt; it knows what a stopped process left."""
        self._journal = journal
        self._answers: list[EarlierAnswer] = [] if journal is None else list(journal.left())
        self.usd = 0.0 if journal is None else journal.before_usd
        self.tries = 0 if journal is None else journal.before_tries
        self._in_flight: dict[int, tuple[int, Asked]] = {}

    @property
    def earlier(self) -> tuple[Answered, ...]:
        """What a worker that makes the attempt need not ask."""
        return tuple(
            Answered(key, given_up=answer)
            if isinstance(answer, ModelGivenUp)
            else Answered(key, reply=answer)
            for key, answer in self._answers
        )

    def take(self, message: OfCalls) -> None:
        """What the worker tells that makes it. Raises StoreError."""
        match message:
            case Asked():
                number = 0
                if self._journal is not None:
                    number = self._journal.asked(
                        message.key, usd=message.usd, tokens=message.tokens
                    )
                self._in_flight[message.number] = (number, message)
            case Ended():
                self._end(message)
            case GaveUp():
                if self._journal is not None:
                    self._journal.gave_up(
                        message.key, message.message, code=message.code, busy=message.busy
                    )
                given_up = ModelGivenUp(
                    work="",
                    round=0,
                    key=message.key,
                    message=message.message,
                    code=message.code,
                    busy=message.busy,
                )
                self._answers.append((message.key, given_up))

    def lose(self) -> None:
        """The worker is gone: what was in flight is charged in full. Raises StoreError."""
        for _, asked in tuple(self._in_flight.values()):
            self._end(Ended(asked.attempt, asked.number, asked.usd, asked.tokens, None))

    def _end(self, ended: Ended) -> None:
        number, asked = self._in_flight.pop(ended.number)
        if self._journal is not None:
            self._journal.ended(number, usd=ended.usd, tokens=ended.tokens, reply=ended.reply)
        self._answers.append((asked.key, ended.reply))
        self.usd += ended.usd
        self.tries += 1
