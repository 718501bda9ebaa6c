"""Reading `expected`: the keys that scorers know, in the form they have to have.

A key that is null says nothing, as if it were not there.
"""

from evalkit.records.case import Case
from evalkit.score.scorer import ScorerError
from evalkit.score.wording import show


def expected_texts(case: Case, key: str) -> tuple[str, ...] | None:
    """A list of texts, or one text for a list of one; None without the key. Raises ScorerError."""
    value = case.expected.get(key)
    if value is None:
        return None
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(each, str) for each in texts):
        raise ScorerError(f"expected.{key} is a list of texts, not {show(value)}")
    return tuple(texts)


def expected_text(case: Case, key: str) -> str | None:
    """A text, or None without the key. Raises ScorerError."""
    value = case.expected.get(key)
    if value is not None and not isinstance(value, str):
        raise ScorerError(f"expected.{key} is a text, not {show(value)}")
    return value


def expected_flag(case: Case, key: str) -> bool | None:
    """True or false, or None without the key. Raises ScorerError."""
    value = case.expected.get(key)
    if value is not None and not isinstance(value, bool):
        raise ScorerError(f"expected.{key} is true or false, not {show(value)}")
    return value
