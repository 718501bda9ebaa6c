"""How contract_review says that a value is computed, and what numbers and dates a text holds.

A number's derivation is arithmetic: `8200 * 9 * 60 / 100`. A date's is a day, steps and rules:
`2027-03-31 - 3 months - 1 day`, `2026-10-05 + 3 months, quarter end`,
`2026-12-22 + 4 working days, not 2026-12-24/2027-01-01`.
"""

import ast
import operator
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta

MONTHS = {
    name: number
    for names in (
        "january february march april may june july august september october november december",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    )
    for number, name in enumerate(names.split(), 1)
}
WRITTEN_DATE = re.compile(
    rf"\b(\d{{1,2}})\.? (?:de )?({'|'.join(MONTHS)})\b(?: de)? (\d{{4}})", re.IGNORECASE
)
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
STEP = re.compile(r" ([+-]) (\d+) (working day|day|week|month|year)s?")
OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def numbers_in(text: str) -> set[float]:
    """Every number of a text, with point and comma read both ways (48,600 and 48.600)."""
    found = set()
    for raw in re.findall(r"\d[\d.,]*\d|\d", text):
        for thousands, point in ((",", "."), (".", ",")):
            plain = raw.replace(thousands, "").replace(point, ".")
            if plain.count(".") <= 1:
                found.add(float(plain))
    return found


def dates_in(text: str) -> set[date]:
    """Every date of a text, as 2026-11-24 or written out in one of the set's languages."""
    found = {date.fromisoformat(each) for each in ISO_DATE.findall(text)}
    for day, month, year in WRITTEN_DATE.findall(text):
        found.add(date(int(year), MONTHS[month.lower()], int(day)))
    return found


def month_end(day: date) -> date:
    """The last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def operands_of(derivation: str) -> set[float]:
    """The numbers that a number is computed from."""
    return {float(each) for each in re.findall(r"\d+(?:\.\d+)?", derivation)}


def compute(derivation: str) -> float:
    """The number that a derivation comes to."""
    return _computed(ast.parse(derivation, mode="eval").body)


def _computed(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        return OPERATORS[type(node.op)](_computed(node.left), _computed(node.right))
    assert isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return node.value


def start_of(derivation: str) -> date:
    """The day that a date is counted from."""
    return date.fromisoformat(derivation[:10])


def counts_of(derivation: str) -> set[float]:
    """How many days, months and so on are counted."""
    return {float(count) for _, count, _ in STEP.findall(derivation)}


def count_date(derivation: str) -> date:
    """The day that a derivation comes to, by the prompt's rules on periods."""
    steps, *rules = derivation.split(", ")
    assert STEP.sub("", steps) == steps[:10], derivation
    day = start_of(derivation)
    free = {each for rule in rules if rule.startswith("not ") for each in _span(rule[4:])}
    for sign, count, unit in STEP.findall(steps):
        signed = int(sign + count)
        if unit == "working day":
            day = _add_working_days(day, signed, free)
        elif unit in ("month", "year"):
            day = _add_months(day, signed * (12 if unit == "year" else 1))
        else:
            day += timedelta(days=signed * (7 if unit == "week" else 1))
    for rule in rules:
        if rule == "quarter end":
            day = _add_months(day.replace(day=1), -day.month % 3)
        if rule == "year end":
            day = day.replace(month=12)
        if rule.endswith(" end"):
            day = month_end(day)
    return day


def _span(dates: str) -> set[date]:
    first, last = (date.fromisoformat(each) for each in dates.split("/"))
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}


def _add_months(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, month_end(first).day))


def _add_working_days(day: date, count: int, free: set[date]) -> date:
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5 and day not in free
    return day
