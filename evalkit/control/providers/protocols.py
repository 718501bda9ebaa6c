"""Which wire format a configured kind speaks."""

from evalkit.control.providers.identity import ProviderKind
from evalkit.control.providers.protocol import WireProtocol


def protocol_of(kind: ProviderKind, base_url: str) -> WireProtocol:
    """The format of a kind that is reached over HTTP. Raises KeyError for another kind."""
    # each is loaded for who speaks it: a run mostly speaks one
    match kind:
        case "openai":
            from evalkit.control.providers.openai import chat_completions

            return chat_completions(base_url)
        case "openai_responses":
            from evalkit.control.providers.openai_responses import RESPONSES

            return RESPONSES
        case "azure_openai":
            from evalkit.control.providers.azure_openai import AZURE

            return AZURE
        case "anthropic":
            from evalkit.control.providers.anthropic import MESSAGES

            return MESSAGES
        case "gemini":
            from evalkit.control.providers.gemini import GENERATE_CONTENT

            return GENERATE_CONTENT
        case "bedrock":
            from evalkit.control.providers.bedrock import CONVERSE

            return CONVERSE
        case _:
            raise KeyError(kind)
