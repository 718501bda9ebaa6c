"""llama.cpp on this machine through xllamacpp: in process, or as an OpenAI-compatible server."""

import importlib.util
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from evalkit.control.providers.weights import EMBEDDED, check_weights, find_weights
from evalkit.errors import Refused, StoreError, UsageError

CONTEXT_TOKENS = 4096
# For the computed prefixes of prompts, about 12 MiB each; the engine's default is 8192.
PREFIX_CACHE_MIB = 256
# A prompt is sent as it stands: the prompts of this small model are continuations, no dialogues.
# Only where tools have a part in it is it a dialogue, in the form that the engine reads calls from.
CHAT_TEMPLATE = """
{%- macro call(c) -%}
<tool_call>
{"name": {{ c.function.name | tojson }}, "arguments": {{ c.function.arguments | tojson }}}
</tool_call>
{%- endmacro -%}
{%- if tools -%}
<|im_start|>system
{% for m in messages if m.role == 'system' %}{{ m.content }}
{% endfor %}You may call functions. They are described between <tools></tools> tags:
<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
Answer a call with a JSON object between <tool_call></tool_call> tags:
<tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% for m in messages if m.role != 'system' %}
{%- if m.role == 'tool' -%}
<|im_start|>user
<tool_response>
{{ m.content }}
</tool_response><|im_end|>
{% else -%}
<|im_start|>{{ m.role }}
{{ m.content or '' }}{% for c in m.tool_calls or [] %}{{ call(c) }}{% endfor %}<|im_end|>
{% endif -%}
{%- endfor -%}
<|im_start|>assistant
{% else -%}
{%- for m in messages -%}{{ m['content'] }}{%- endfor -%}
{%- endif -%}"""


class Engine(Protocol):
    """What is used of xllamacpp's server."""

    def handle_chat_completions(
        self, body: dict[str, Any], on_chunk: Callable[[dict[str, Any]], bool | None] | None = None
    ) -> dict[str, Any] | None:
        """Answer one chat completion; a streamed one is handed to `on_chunk`, which may stop it
        by returning True. Raises ValueError for a body that makes no sense."""


def missing_engine() -> str | None:
    """What the embedded model lacks on this machine and how to get it, or None."""
    if importlib.util.find_spec("xllamacpp") is None:
        return (
            "the embedded model's engine is not installed: pip install 'xllamacpp>=2026.10' (what "
            "the extra `local` brings)"
        )
    if find_weights() is None:
        return "the embedded model's weights are not on this machine: evalkit local pull"
    return None


def require_weights() -> Path:
    """Where the weights are. Raises Refused where engine or weights are missing."""
    problem = missing_engine()
    path = find_weights()
    if problem is not None or path is None:
        raise Refused(problem or "the embedded model's weights are gone: evalkit local pull")
    return path


def open_engine(path: Path) -> Engine:
    """Load the model into this process. Raises StoreError for another file than the known one.

    The engine listens on a loopback port of its own accord; a random key keeps others out.
    """
    check_weights(path)
    engine: Engine = _load(path, api_keys=[secrets.token_urlsafe(24)])
    return engine


def serve_local(
    host: str,
    port: int,
    *,
    on_ready: Callable[[str], None] = lambda url: None,
    stop: threading.Event | None = None,
) -> None:
    """Serve the embedded model as an OpenAI-compatible server, just as the provider runs it.

    `on_ready` gets the base URL. Returns when `stop` is set or on KeyboardInterrupt. Port 0 takes a
    free one. Raises Refused without engine or weights, UsageError where it cannot listen.
    """
    path = require_weights()
    check_weights(path)
    _check_address(host, port)
    server = _load(path, hostnames=[host], port=port)
    on_ready(f"{server.listening_address}/v1")
    stop = stop or threading.Event()
    try:
        while not stop.wait(0.5):  # a wait without end would not see a signal on every platform
            pass
    except KeyboardInterrupt:
        pass
    finally:
        del server  # frees the port


def _load(path: Path, **settings: Any) -> Any:
    """One thread and one slot: two threads collapse on a busy machine, and the order in which
    slots share a batch would change what comes out."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.model_alias = {EMBEDDED.model}
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.cache_prompt = True
    params.cache_ram_mib = PREFIX_CACHE_MIB
    params.use_jinja = True
    params.chat_template = CHAT_TEMPLATE
    params.endpoint_slots = False  # shows what others asked
    params.ui = False
    params.verbosity = -1
    for name, value in settings.items():
        setattr(params, name, value)
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise StoreError(f"the engine could not load {path.name}: {error}") from error


def _check_address(host: str, port: int) -> None:
    """The engine does not say why it cannot listen, so try it first. Raises UsageError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
