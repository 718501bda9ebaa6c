"""A pattern that the output has to match."""

from evalkit.config.patterns import PatternError, compile_pattern
from evalkit.config.scorers import RegexScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_text
from evalkit.score.reply import without_reply
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import FOUND_LENGTH, clip, show


class Regex(Scorer[str]):
    """The output matches the suite's pattern, or else `expected.regex`.

    As RE2 reads it: `.` takes no newline and `^` and `$` are the ends of the whole output, unless
    the pattern starts with a flag such as `(?s)` or `(?m)`.
    """

    kind = "regex"

    def __init__(self, config: RegexScorer, *, label: str, gate: bool) -> None:
        """Raises ScorerError for a pattern that RE2 does not take."""
        super().__init__(label=label, gate=gate)
        self._pattern = config.pattern
        self._full = config.full
        if config.pattern is not None:
            _check(config.pattern)

    def expectation(self, case: Case) -> str | None:
        """The pattern."""
        if self._pattern is not None:
            return self._pattern
        pattern = expected_text(case, "regex")
        if pattern is not None:
            _check(pattern)
        return pattern

    def is_asked_by(self, case: Case) -> bool:
        """Unless the suite has the pattern."""
        return self._pattern is None

    def judge(self, attempt: Attempt, expectation: str) -> Judgement:
        """Match the whole output, or search in it."""
        how = "all of it to match" if self._full else "a match of"
        wanted = f"expected {how} {show(expectation)}"
        if attempt.output is None:
            return Judgement(passed=False, message=f"{wanted}, {without_reply(attempt)}")
        pattern = compile_pattern(expectation)
        match = pattern.fullmatch if self._full else pattern.search
        try:
            matched = match(attempt.output) is not None
        except UnicodeError as error:
            raise ScorerError(f"the output cannot be searched: {error}") from None
        if matched:
            return Judgement(passed=True, message=f"matches {show(expectation)}")
        return Judgement(
            passed=False,
            message=f"{wanted}, found {show(attempt.output)}",
            expected=expectation,
            found=clip(attempt.output, FOUND_LENGTH),
        )


def _check(pattern: str) -> None:
    try:
        compile_pattern(pattern)
    except PatternError as error:
        raise ScorerError(str(error)) from None
    if not pattern:
        raise ScorerError("an empty pattern matches every output")
