"""What a request's key knows of the provider that answers it."""

from typing import Literal

ProviderKind = Literal[
    "openai",
    "openai_responses",
    "azure_openai",
    "anthropic",
    "gemini",
    "bedrock",
    "local",
    "scripted",
]


def identity_of(kind: ProviderKind, *, base_url: str | None = None) -> str:
    """Kind and address. A recording has the identity of the model that was recorded, so that its
    requests have the keys they were recorded under."""
    return kind if base_url is None else f"{kind} {base_url.rstrip('/')}"
