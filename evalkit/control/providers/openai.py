"""Any OpenAI-compatible chat-completions endpoint."""

from collections.abc import Mapping

from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.openai_reply import read_completion
from evalkit.control.providers.openai_request import payload_of, token_cap_of
from evalkit.control.providers.openai_stream import CHAT_STREAM
from evalkit.control.providers.protocol import WireProtocol, below
from evalkit.ports import Clock, StreamingTransport

PATH = "/chat/completions"


class OpenAIProvider(HttpProvider):
    """Asks one endpoint; see HttpProvider."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        api_key_env: str | None,
        environ: Mapping[str, str],
        transport: StreamingTransport,
        clock: Clock,
    ) -> None:
        """`name` is the configured provider's, for messages. The transport is not closed here."""
        super().__init__(
            chat_completions(base_url),
            kind="openai",
            name=name,
            base_url=base_url,
            api_key_env=api_key_env,
            environ=environ,
            transport=transport,
            clock=clock,
        )

    def __repr__(self) -> str:
        """The name and the address, nothing else."""
        return f"OpenAIProvider(name={self.name!r}, url={below(self._base_url, PATH)!r})"


def chat_completions(base_url: str) -> WireProtocol:
    """The format as it is spoken at an address, where the output cap has one of two names."""
    try:
        token_cap = token_cap_of(base_url)
    except ValueError:  # no address at all, which the provider itself refuses
        token_cap = "max_tokens"
    return WireProtocol(
        noun="chat completion",
        url_of=lambda base, model: below(base, PATH),
        payload_of=lambda request: payload_of(request, token_cap=token_cap),
        answer_of=read_completion,
        stream=CHAT_STREAM,
    )
