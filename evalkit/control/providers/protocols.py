"""Which wire format a configured kind speaks."""

from evalkit.control.providers.anthropic import MESSAGES
from evalkit.control.providers.identity import ProviderKind
from evalkit.control.providers.openai import chat_completions
from evalkit.control.providers.protocol import WireProtocol


def protocol_of(kind: ProviderKind, base_url: str) -> WireProtocol:
    """The format of an HTTP kind at an address."""
    if kind == "anthropic":
        return MESSAGES
    return chat_completions(base_url)
