"""What a run has done so far, counted from its events."""

import msgspec

from evalkit.ports import Clock
from evalkit.records.event import (
    AttemptFinished,
    AttemptRetried,
    Event,
    JudgingStarted,
    JudgmentMade,
    RunEnded,
    RunStarted,
    RunStopping,
)
from evalkit.report.evidence import origin_words
from evalkit.report.figures import duration, percent, usd


class Arm(msgspec.Struct):
    """One variant: attempts finished and passed, and the cases they were at."""

    finished: int = 0
    passed: int = 0
    cases: set[tuple[str, str]] = msgspec.field(default_factory=set)


class Tally(msgspec.Struct):
    """The sums. `done` attempts were made by an earlier part of a resumed run.

    `questions` are the outputs that judges are asked about, `judged` those they have answered;
    what that takes counts as spent, and took `judging_s` seconds.
    """

    clock: Clock
    attempts: int = 0
    done: int = 0
    finished: int = 0
    errors: int = 0
    tokens: int = 0
    billed_usd: float = 0.0
    max_usd: float | None = None
    retries: int = 0
    last_retry: AttemptRetried | None = None
    arms: dict[str, Arm] = msgspec.field(default_factory=dict)
    origins: dict[str, int] = msgspec.field(default_factory=dict)
    started: bool = False
    ended: bool = False
    reason: str | None = None
    stopping: RunStopping | None = None
    questions: int = 0
    judged: int = 0
    unjudged: int = 0
    _start_s: float = 0.0
    judging_s: float = 0.0
    _judging_start_s: float = 0.0
    _judging_before_s: float = 0.0
    _judged_before: int = 0

    def take(self, event: Event) -> None:
        """Count one event."""
        if isinstance(event, AttemptFinished):
            self._finish(event)
        elif isinstance(event, AttemptRetried):
            self.retries += 1
            self.last_retry = event
        elif isinstance(event, RunStarted):
            # an escalating run starts again with the attempts of its next look
            self.attempts += event.attempts
            self.done += event.done
            self.max_usd = event.max_usd
            if not self.started:
                self._start_s = self.clock.monotonic()
            self.started = True
        elif isinstance(event, RunStopping):
            self.stopping = event
        elif isinstance(event, JudgingStarted):
            # once a look of an escalating run; what a stopped phase left is asked again
            self._judged_before = self.judged
            self.questions = self.judged + event.questions
            self._judging_start_s = self.clock.monotonic()
            self._judging_before_s = self.judging_s
        elif isinstance(event, JudgmentMade):
            self._judge(event)
        elif isinstance(event, RunEnded):
            self.ended, self.reason = True, event.reason

    def _finish(self, event: AttemptFinished) -> None:
        attempt = event.attempt
        self.finished += 1
        self.errors += event.passed is None
        self.tokens += attempt.usage.total
        self.billed_usd += attempt.billed_usd
        if attempt.origin is not None:
            self.origins[attempt.origin] = self.origins.get(attempt.origin, 0) + 1
        arm = self.arms.setdefault(attempt.variant, Arm())
        arm.finished += 1
        arm.passed += event.passed is True
        arm.cases.add((attempt.suite, attempt.case))

    def _judge(self, event: JudgmentMade) -> None:
        opinion = event.judgment.opinion
        self.judged += 1
        self.judging_s = self._judging_before_s + self.clock.monotonic() - self._judging_start_s
        self.unjudged += opinion.state == "error"
        self.tokens += sum(call.usage.total for call in opinion.calls)
        self.billed_usd += opinion.billed_usd

    @property
    def judging(self) -> bool:
        """Whether judges are being asked."""
        return self.judged < self.questions

    @property
    def judging_share(self) -> float:
        """The part of this phase's questions that is answered, 0 to 1."""
        asked = self.questions - self._judged_before
        return (self.judged - self._judged_before) / asked if asked else 1.0

    @property
    def made(self) -> int:
        """Attempts that are in the journal."""
        return self.done + self.finished

    @property
    def share(self) -> float:
        """The part of the run that is done, 0 to 1."""
        return self.made / self.attempts if self.attempts else 1.0

    @property
    def cases(self) -> int:
        """Cases that every variant seen so far has been at, in this part of the run."""
        seen = [arm.cases for arm in self.arms.values()]
        return len(set.intersection(*seen)) if seen else 0

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start of this part of the run."""
        return self.clock.monotonic() - self._start_s if self.started else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest of this phase takes at its pace so far; None before any."""
        if self.judging:
            share, taken_s = self.judging_share, self.clock.monotonic() - self._judging_start_s
            return taken_s / share * (1 - share) if share and taken_s else None
        if not self.finished or not self.elapsed_s:
            return None
        return self.elapsed_s / self.finished * (self.attempts - self.made)

    def rate_words(self) -> str:
        """'baseline 78.8 %, candidate 67.8 %', of the attempts so far."""
        order = sorted(self.arms)
        rates = [
            f"{name} {percent(self.arms[name].passed / self.arms[name].finished)}" for name in order
        ]
        return ", ".join(rates) + (" passed" if rates else "")

    def spent_words(self) -> str:
        """'1.2 M tokens, $0.31 of $5.00, 12 live'."""
        spent = usd(self.billed_usd)
        if self.max_usd is not None:
            spent += f" of {usd(self.max_usd)}"
        words = f"{self.tokens:,} tokens, {spent}"
        return f"{words}, {origin_words(self.origins)}" if self.origins else words

    def trouble_words(self) -> str:
        """Errors and retries, empty without any."""
        parts = []
        if self.errors:
            parts.append(f"{self.errors:,} without a result")
        if self.unjudged:
            parts.append(f"{self.unjudged:,} not judged for an error")
        if self.retries and self.last_retry is not None:
            tries = "retry" if self.retries == 1 else "retries"
            parts.append(f"{self.retries:,} {tries}, last for {self.last_retry.code}")
        return ", ".join(parts)

    def kept_words(self) -> str:
        """'30 kept from before', of a resumed run; else empty."""
        return f"{self.done:,} kept from before" if self.done else ""

    def stopping_words(self) -> str:
        """What a stop that was asked for waits for; empty when none was."""
        if self.stopping is None:
            return ""
        if self.stopping.again:
            return "dropping the calls in flight"
        return "stopping: waiting for the calls in flight; press Ctrl-C again to drop them"

    def left_words(self) -> str:
        """'about 12 s left'; empty before anything is known."""
        return "" if self.left_s is None else f"about {duration(self.left_s)} left"
