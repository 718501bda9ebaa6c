"""Figures for reading. What decides is compared elsewhere, raw; nothing here feeds a comparison."""

_DASH = "–"
_MOST_DIGITS = 6


def percent(share: float | None, *, beside: float | None = None) -> str:
    """A fraction as a percentage with one decimal: 0.7578 gives '75.8 %'.

    `beside` is the limit it is read next to: with more decimals where rounding would hide that the
    two differ, so that 79.96 % never reads as the 80.0 % it misses.
    """
    if share is None:
        return _DASH
    return f"{_fixed(100 * share, _apart(100 * share, beside, 1))} %"


def points(share: float, *, signed: bool = False, beside: float | None = None) -> str:
    """A fraction as percentage points with up to two decimals: 0.03 gives '3 pp'.

    `beside` as for `percent`.
    """
    text = _short(100 * share, _apart(100 * share, beside, 2))
    return f"+{text} pp" if signed and not text.startswith("-") and text != "0" else f"{text} pp"


def change(share: float | None) -> str:
    """A relative change with its sign: -0.563 gives '-56.3 %'."""
    if share is None:
        return _DASH
    text = _fixed(100 * share, 1)
    return f"+{text} %" if share > 0 and text.strip("0.,") else f"{text} %"


def quantity(number: float) -> str:
    """A count that may be fractional: '6', '1,250', '6.25'."""
    return _short(number)


def count(number: int, noun: str) -> str:
    """A count with its noun: '1 case', '88 cases'."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def usd(amount: float | None) -> str:
    """USD: cents where they tell something, more digits where they do not."""
    if amount is None:
        return "no price"
    if amount == 0:
        return "$0"
    if abs(amount) >= 1:
        return f"${amount:,.2f}"
    digits = 4 if abs(amount) >= 0.001 else 6
    text = f"{amount:.{digits}f}"
    return f"${text}" if float(text) else f"under ${10**-digits:.{digits}f}"


def metric(name: str, value: float) -> str:
    """A gated metric's value in the unit that its name tells: '$0.0010', '340 ms', '1,250'."""
    if "usd" in name:
        return usd(value)
    return seconds(value) if name.endswith("_s") else quantity(value)


def tokens(number: float | None) -> str:
    """A token count: '412,300'."""
    return _DASH if number is None else f"{number:,.0f}"


def seconds(duration: float | None) -> str:
    """A latency: '340 ms', '1.25 s'."""
    if duration is None:
        return _DASH
    return f"{duration * 1000:.0f} ms" if duration < 1 else f"{duration:.2f} s"


def duration(length_s: float) -> str:
    """A span of time for people: '8.2 s', '2 min 5 s', '1 h 3 min'."""
    whole = max(0, round(length_s))
    if whole < 60:
        return f"{length_s:.1f} s" if length_s < 10 else f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def p_value(p: float | None) -> str:
    """A p-value: 'p = 0.03', 'p < 0.0001'."""
    if p is None:
        return ""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}"


def _fixed(number: float, digits: int) -> str:
    # + 0.0 turns a rounded -0.0 into 0.0
    return f"{round(number, digits) + 0.0:,.{digits}f}"


def _short(number: float, digits: int = 2) -> str:
    return f"{round(number, digits) + 0.0:,.{digits}f}".rstrip("0").rstrip(".")


def _apart(number: float, limit: float | None, digits: int) -> int:
    """The decimals that tell `number` from 100 times `limit`; `digits` where none needs more."""
    if limit is None:
        return digits
    for more in range(digits, _MOST_DIGITS + 1):
        if round(number, more) != round(100 * limit, more):
            return more
    return digits
