"""Which wire format a configured kind speaks."""

from evalkit.control.providers.anthropic import MESSAGES
from evalkit.control.providers.azure_openai import AZURE
from evalkit.control.providers.bedrock import CONVERSE
from evalkit.control.providers.gemini import GENERATE_CONTENT
from evalkit.control.providers.identity import ProviderKind
from evalkit.control.providers.openai import chat_completions
from evalkit.control.providers.openai_responses import RESPONSES
from evalkit.control.providers.protocol import WireProtocol


def protocol_of(kind: ProviderKind, base_url: str) -> WireProtocol:
    """The format of a kind that is reached over HTTP. Raises KeyError for another kind."""
    if kind == "openai":
        return chat_completions(base_url)
    return _PROTOCOLS[kind]


_PROTOCOLS: dict[str, WireProtocol] = {
    "openai_responses": RESPONSES,
    "azure_openai": AZURE,
    "anthropic": MESSAGES,
    "gemini": GENERATE_CONTENT,
    "bedrock": CONVERSE,
}
