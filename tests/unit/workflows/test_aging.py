"""How long a cached reply of a live model stands for it."""

import pytest

from evalkit.workflows.setup.aging import is_pinned


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4.1-mini-2025-04-14",
        "claude-3-7-sonnet-20250219",
        "gemini-2.0-flash-001",
        "registry/model@sha256:0f3c",
    ],
)
def test_a_model_id_with_a_date_or_version_is_pinned(model: str) -> None:
    assert is_pinned(model)


@pytest.mark.parametrize("model", ["gpt-4.1", "gpt-4o-latest", "claude-sonnet-4-5", "llama-3-70b"])
def test_a_model_id_without_one_floats(model: str) -> None:
    assert not is_pinned(model)
