"""What stands in a stored text for personal data or a secret: `[EMAIL_1]`, `[PHONE_2]`.

Bundles, golden sets and recordings hold placeholders, so their form is part of the stored formats.
"""

import re
from typing import Literal, get_args

PlaceholderKind = Literal["EMAIL", "PHONE", "CARD", "IBAN", "SSN", "NATIONAL_ID", "IP", "SECRET"]
PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(get_args(PlaceholderKind))})_[0-9]+\]")
# A JSON number below it has fewer digits than any telephone, card, account or person has.
SMALLEST_NUMBER = 10**6


def placeholder(kind: PlaceholderKind, number: int) -> str:
    """The placeholder of the `number`th value of its kind, counted from 1."""
    return f"[{kind}_{number}]"
