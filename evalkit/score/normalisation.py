"""Differences of spelling that a suite says do not count. Nothing is done unless it says so."""

import re
import unicodedata
from collections.abc import Collection
from typing import Any

_SPACES = re.compile(r"\s+")


def normalise_text(text: str, steps: Collection[str]) -> str:
    """The text after the steps, always in this order: nfc, casefold, collapse_spaces, strip."""
    if "nfc" in steps:
        text = unicodedata.normalize("NFC", text)
    if "casefold" in steps:
        text = text.casefold()
        if "nfc" in steps:  # folding can take a composed character apart
            text = unicodedata.normalize("NFC", text)
    if "collapse_spaces" in steps:
        text = _SPACES.sub(" ", text)
    if "strip" in steps:
        text = text.strip()
    return text


def normalise(value: Any, steps: Collection[str]) -> Any:
    """A JSON value with the steps applied to every text in it; keys stay as they are."""
    if not steps:
        return value
    if isinstance(value, str):
        return normalise_text(value, steps)
    if isinstance(value, list | tuple):
        return [normalise(each, steps) for each in value]
    if isinstance(value, dict):
        return {key: normalise(each, steps) for key, each in value.items()}
    return value
