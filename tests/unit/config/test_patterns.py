"""Users' regular expressions, which RE2 has to take."""

import pytest

from evalkit.config.patterns import PatternError, compile_pattern, pattern_error


def test_a_pattern_in_re2_syntax_is_compiled() -> None:
    assert pattern_error(r"(?i)refund \d+") is None
    assert compile_pattern(r"(?i)refund \d+").search("a REFUND 12")


@pytest.mark.parametrize("pattern", [r"(?<=a)b", r"(a)\1", "(", "\ud800"])
def test_what_re2_does_not_take_is_refused_with_its_reason(pattern: str) -> None:
    with pytest.raises(PatternError, match="is not RE2 syntax") as caught:
        compile_pattern(pattern)
    assert caught.value.reason
    assert pattern_error(pattern) == f"the pattern is not in RE2 syntax: {caught.value.reason}"
