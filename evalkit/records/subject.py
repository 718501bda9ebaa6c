"""When two judged outputs are one: the id that labels, verdicts and judgments go by."""

import hashlib
import math
import unicodedata
from typing import Any

import msgspec

from evalkit.records.digest import canonical_json
from evalkit.records.judgment import Subject


def subject_id(subject: Subject) -> str:
    """16 hexadecimal digits of what is judged: outputs that differ in spacing only are one.

    The texts of the output, and of the other output of a pair, are compared in Unicode's NFC with
    runs of white space as one space; the rest as it is. Fields that are not given do not count, so
    a subject that learns a further one keeps its id. Raises ValueError for an output that is no
    JSON.
    """
    alike = msgspec.structs.replace(
        subject, output=_alike(subject.output), other=_alike(subject.other)
    )
    try:
        written = msgspec.json.encode(alike, order="sorted")
    except OverflowError:  # an integer that takes more than 64 bits
        written = canonical_json(alike)
    return hashlib.sha256(written).hexdigest()[:16]


def _alike(value: Any) -> Any:
    if isinstance(value, str):
        return " ".join(unicodedata.normalize("NFC", value).split())
    if isinstance(value, list | tuple):
        return [_alike(each) for each in value]
    if isinstance(value, dict):
        return {key: _alike(each) for key, each in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no JSON")  # and would be written as null
    return value
