"""Chat completions as Azure OpenAI serves them: its own addresses, and its own header for keys."""

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from evalkit.control.providers.openai_reply import read_completion
from evalkit.control.providers.openai_request import payload_of as chat_payload_of
from evalkit.control.providers.openai_stream import CHAT_STREAM
from evalkit.control.providers.protocol import WireProtocol, below
from evalkit.records.call import Request

# The newest dated version that is generally available; the v1 addresses need none.
API_VERSION = "2024-10-21"


def url_of(base_url: str, model: str) -> str:
    """`/openai/v1/chat/completions`, or a deployment's address with its `api-version`.

    The latter for a base that does not end in `/v1`; the version is the base's own, if it has one.
    """
    parts = urlsplit(base_url)
    path = parts.path.rstrip("/")
    if path.endswith("/v1"):
        return below(base_url, "/chat/completions")
    path = path.removesuffix("/openai")
    query = parts.query
    if "api-version=" not in query:
        query = f"{query}&" * bool(query) + f"api-version={API_VERSION}"
    path += f"/openai/deployments/{quote(model, safe='')}/chat/completions"
    return urlunsplit(parts._replace(path=path, query=query))


def payload_of(request: Request) -> dict[str, Any]:
    """The body of a chat completion, with the output cap under the name that every model takes."""
    return chat_payload_of(request, token_cap="max_completion_tokens")


AZURE = WireProtocol(
    noun="chat completion",
    url_of=url_of,
    payload_of=payload_of,
    answer_of=read_completion,
    stream=CHAT_STREAM,
    key_headers=lambda key, base_url: {"api-key": key},
    id_header="apim-request-id",
)
