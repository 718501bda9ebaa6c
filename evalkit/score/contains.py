"""Texts that have to be, or must not be, in the output."""

import msgspec

from evalkit.config.scorers import ContainsScorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_texts
from evalkit.score.normalisation import normalise_text
from evalkit.score.reply import without_reply
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import FOUND_LENGTH, clip, listed, show


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for: every one, at least one, not one of them."""

    every: tuple[str, ...]
    some: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


class Contains(Scorer[Texts]):
    """The output holds what the suite, or else the case, asks for."""

    kind = "contains"

    def __init__(self, config: ContainsScorer, *, label: str, gate: bool) -> None:
        """Raises ScorerError for a text that every output holds."""
        super().__init__(label=label, gate=gate)
        self._steps = tuple(config.normalise)
        self._texts: Texts | None = None
        if config.all or config.any or config.none:
            self._texts = Texts(
                every=tuple(config.all), some=tuple(config.any), none=tuple(config.none)
            )
            self._check((*config.all, *config.any, *config.none))

    def expectation(self, case: Case) -> Texts | None:
        """The suite's texts, else `expected.contains`."""
        if self._texts is not None:
            return self._texts
        every = expected_texts(case, "contains")
        if every is None:
            return None
        if not every:
            raise ScorerError("expected.contains is empty, so it asks for nothing")
        self._check(every)
        return Texts(every=every)

    def is_asked_by(self, case: Case) -> bool:
        """Unless the suite has the texts."""
        return self._texts is None

    def judge(self, attempt: Attempt, expectation: Texts) -> Judgement:
        """Look for every text."""
        if attempt.output is None:
            return Judgement(passed=False, message=f"expected a text, {without_reply(attempt)}")
        output = normalise_text(attempt.output, self._steps)

        def inside(text: str) -> bool:
            return normalise_text(text, self._steps) in output

        missing = [text for text in expectation.every if not inside(text)]
        faults = [f"expected {show(text)}, not found" for text in missing]
        if expectation.some and not any(map(inside, expectation.some)):
            faults.append(f"expected one of {show(list(expectation.some))}, found none")
        present = [text for text in expectation.none if inside(text)]
        faults += [f"expected no {show(text)}, found it" for text in present]
        if not faults:
            return Judgement(passed=True, message="contains what is expected")
        return Judgement(
            passed=False,
            message=f"{listed(faults)}, in {show(attempt.output)}",
            expected={
                key: list(texts)
                for key, texts in (
                    ("all", expectation.every),
                    ("any", expectation.some),
                    ("none", expectation.none),
                )
                if texts
            },
            found=clip(attempt.output, FOUND_LENGTH),
        )

    def _check(self, texts: tuple[str, ...]) -> None:
        for text in texts:
            if not normalise_text(text, self._steps):
                raise ScorerError(f"{show(text)} is in every output, so it asks for nothing")
