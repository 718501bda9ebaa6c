"""Reference-based text scorers: how near a reply is to a text that was written as an answer.

They need no judge and no calibration, and tell less: texts that contradict each other share most of
their letters, their words and their subject.
"""

import re
from abc import abstractmethod
from collections import Counter

from evalkit import embedding
from evalkit.config.scorers import EmbeddingScorer, SimilarityScorer, TokenF1Scorer
from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.score.expected import expected_text
from evalkit.score.normalisation import normalise_text
from evalkit.score.reply import NotJson, no_reply, reply_field
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import show, stored

_WORDS = re.compile(r"\w+(?:['’]\w+)*")
EXTRA = f"embedding similarity {embedding.EXTRA}"


class TextDistance(Scorer[str]):
    """A scorer of one text against one reference, from 0 (nothing in common) to 1 (equal)."""

    def __init__(
        self,
        config: SimilarityScorer | TokenF1Scorer | EmbeddingScorer,
        *,
        label: str,
        gate: bool,
    ) -> None:
        """Built by the registry."""
        super().__init__(label=label, gate=gate)
        self._config = config

    @abstractmethod
    def measure(self, reference: str, found: str) -> float:
        """How near two texts are that the suite's steps were applied to, 0..1."""

    def expectation(self, case: Case) -> str | None:
        """The text under the key of `expected` that the suite names."""
        reference = expected_text(case, self._config.to)
        if reference is None:
            return None
        if not normalise_text(reference, self._config.normalise):
            raise ScorerError(f"expected.{self._config.to} is empty, so nothing can be near it")
        return reference

    def is_asked_by(self, case: Case) -> bool:
        """It is always the case that brings the reference."""
        return True

    def judge(self, attempt: Attempt, expectation: str) -> Judgement:
        """Compare after normalisation; what is no text is as far off as can be."""
        found = self._found(attempt)
        if found is None:
            return no_reply(attempt, expectation)
        if isinstance(found, NotJson):
            return Judgement(passed=False, message=f"expected a text, {found.reason}")
        steps = self._config.normalise
        value = self.measure(normalise_text(expectation, steps), normalise_text(found, steps))
        passed = value >= self._config.min
        return Judgement(
            passed=passed,
            message=(
                f"{self.kind} {value:.3f}, {'at least' if passed else 'below'} "
                f"{self._config.min:g}: {show(found)}"
            ),
            expected=stored(expectation),
            found={"value": round(value, 6), "text": stored(found)},
        )

    def _found(self, attempt: Attempt) -> str | NotJson | None:
        if self._config.field is None:
            return attempt.output
        value = reply_field(attempt, self._config.field)
        if isinstance(value, str | NotJson):
            return value
        return NotJson(f"found {show(value)} in {self._config.field}")


class Similarity(TextDistance):
    """Normalised Levenshtein similarity: 1 - edits / length of the longer text."""

    kind = "similarity"

    def measure(self, reference: str, found: str) -> float:
        """1 for equal texts, 0 where every letter has to change."""
        from rapidfuzz.distance import Levenshtein  # 48 modules, which few suites need

        return Levenshtein.normalized_similarity(reference, found)


class TokenF1(TextDistance):
    """F1 over word counts: 2PR / (P + R), as extractive question answering has it (SQuAD)."""

    kind = "token_f1"

    def measure(self, reference: str, found: str) -> float:
        """Words are runs of letters and digits; two texts without any word are equal."""
        wanted, given = Counter(_WORDS.findall(reference)), Counter(_WORDS.findall(found))
        if not wanted or not given:
            return float(wanted == given)
        shared = (wanted & given).total()
        return 2 * shared / (wanted.total() + given.total())


class Embedding(TextDistance):
    """Cosine of sentence embeddings (all-MiniLM-L6-v2, in a package), negative ones as 0."""

    kind = "embedding"

    def __init__(self, config: EmbeddingScorer, *, label: str, gate: bool) -> None:
        """Raises ScorerError where the extra is not installed."""
        super().__init__(config, label=label, gate=gate)
        if not embedding.is_installed():
            raise ScorerError(EXTRA)
        self._known: dict[str, tuple[float, ...]] = {}

    def measure(self, reference: str, found: str) -> float:
        """Equal texts are 1 exactly, whatever the arithmetic rounds to."""
        if reference == found:
            return 1.0
        if not found:
            return 0.0
        cosine = sum(
            a * b for a, b in zip(self._vector(reference), self._vector(found), strict=True)
        )
        return min(1.0, max(0.0, cosine))

    def _vector(self, text: str) -> tuple[float, ...]:
        """The text's unit vector; several trials meet one reference."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = embedding.embed([text])[0]
        return known
