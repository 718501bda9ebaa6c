"""Google's generateContent format, of the Gemini API and of Vertex AI."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from evalkit.control.providers.answers import (
    FILTERED,
    PROMPT_FILTERED,
    Answer,
    MalformedAnswer,
    counted,
)
from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.control.providers.gemini_errors import error_of, google_error
from evalkit.control.providers.gemini_stream import CONTENT_STREAM
from evalkit.control.providers.guardrails import google_ratings, with_block
from evalkit.control.providers.protocol import (
    WireProtocol,
    bearer,
    below,
    stop_list,
    translated,
)
from evalkit.control.providers.tool_choice import for_gemini
from evalkit.control.providers.turns import (
    arguments_object,
    group_turns,
    is_result,
    link_results,
    split_system,
)
from evalkit.records.call import Message, Request, ToolCall, Usage
from evalkit.records.json_text import decode_json

NOUN = "generateContent reply"

_NAMES: Mapping[str, str | None] = {
    "max_tokens": "maxOutputTokens",
    "stop": "stopSequences",
    "top_p": "topP",
    "top_k": "topK",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "min_p": None,
    "logit_bias": None,
    "repeat_penalty": None,
}
_OWN = frozenset(
    {
        "model",
        "messages",
        "contents",
        "systemInstruction",
        "system_instruction",
        "tools",
        "stream",
        "cachedContent",
        "cached_content",
        "generationConfig",
        "generation_config",
        "candidateCount",
        "responseMimeType",
        "responseSchema",
        "responseJsonSchema",
    }
)
# Parameters that stand beside the generation's own settings.
_BESIDE = ("safetySettings", "toolConfig", "labels", "serviceTier")
_ENDS: Mapping[str, str] = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERS = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "LANGUAGE",
        "IMAGE_SAFETY",
        "MODEL_ARMOR",
    }
)
# The model's own failure to make a tool call: an answer without one, nothing to ask again for.
_BAD_CALLS = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"})


class _Call(msgspec.Struct):
    name: str
    args: dict[str, Any] | None = None
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: _Call | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    safety_ratings: Any = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None
    safety_ratings: Any = None


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Generated(msgspec.Struct, rename="camel"):
    """As much of a reply as is read; everything else is ignored."""

    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None


def url_of(base_url: str, model: str) -> str:
    """Where a model is asked: below `/v1beta`, or below Vertex AI's `/publishers/google`."""
    return below(base_url, f"/models/{quote(model, safe='')}:generateContent")


def key_headers(key: str, base_url: str) -> Mapping[str, str]:
    """An access token for Vertex AI's projects, else an API key."""
    if "/projects/" in urlsplit(base_url).path:
        return bearer(key, base_url)
    return {"x-goog-api-key": key}


def payload_of(request: Request) -> dict[str, Any]:
    """The body of a generateContent request. Raises UnsentParameter."""
    settings = translated(request, _NAMES, own=_OWN, noun="Google's generateContent format")
    calling = for_gemini(settings)
    payload = {name: settings.pop(name) for name in _BESIDE if name in settings}
    if calling is not None:
        payload["toolConfig"] = {"functionCallingConfig": calling}
    if "stopSequences" in settings:
        settings["stopSequences"] = stop_list(settings["stopSequences"])
    if (effort := settings.pop("reasoning_effort", None)) is not None:
        thinking = settings.get("thinkingConfig") or {}
        settings["thinkingConfig"] = {**thinking, "thinkingLevel": effort}
    system, turns = split_system(link_results(request.messages))
    payload["contents"] = [
        {
            "role": "model" if role == "assistant" else "user",
            "parts": [part for message in turn for part in _parts(message)],
        }
        for role, turn in group_turns(turns)
    ]
    if system:
        payload["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if request.tools:
        declared = [
            {
                "name": tool.name,
                **({"description": tool.description} if tool.description else {}),
                **({"parametersJsonSchema": tool.parameters} if tool.parameters else {}),
            }
            for tool in request.tools
        ]
        payload["tools"] = [{"functionDeclarations": declared}]
    if request.schema is not None:
        settings["responseMimeType"] = "application/json"
        settings["responseJsonSchema"] = {
            key: value for key, value in request.schema.items() if key not in ("$schema", "$id")
        }
    if settings:
        payload["generationConfig"] = settings
    return payload


def _parts(message: Message) -> list[dict[str, Any]]:
    """A message's parts. A call's signature goes back beside it, as newer models demand."""
    if is_result(message):
        given = {"id": message.tool_call_id, "name": message.name}
        return [{"functionResponse": given | {"response": _result(message.content)}}]
    parts: list[dict[str, Any]] = []
    if message.content or not message.tool_calls:
        parts.append({"text": message.content})
    for call in message.tool_calls:
        use = {"id": call.id, "name": call.name, "args": arguments_object(call)}
        signature = {"thoughtSignature": call.signature} if call.signature else {}
        parts.append({"functionCall": use, **signature})
    return parts


def _result(text: str) -> dict[str, Any]:
    """A tool's result as the object that the format wants; `output` is its own name for a text."""
    try:
        decoded = decode_json(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        decoded = None
    return decoded if isinstance(decoded, dict) else {"output": text}


def answer_of(body: bytes) -> Answer | ErrorBody:
    """The first candidate. Raises MalformedAnswer, and msgspec's errors for what is no reply."""
    if body.lstrip()[:1] == b"[":  # errors are sometimes wrapped in a list
        errors = msgspec.json.decode(body, type=list[_Generated])
        generated = errors[0] if len(errors) == 1 and errors[0].error else _Generated()
    else:
        generated = msgspec.json.decode(body, type=_Generated)
    if generated.error:
        return google_error(generated.error)
    usage = _usage(generated.usage_metadata)
    model, reply_id = generated.model_version, generated.response_id or ""
    feedback = generated.prompt_feedback or _Feedback()
    found = tuple(google_ratings(feedback.safety_ratings, "request"))
    if not generated.candidates:
        if not feedback.block_reason:
            raise MalformedAnswer("the reply has no candidates")
        return Answer(
            finish_reason="content_filter",
            refusal=f"{PROMPT_FILTERED} ({feedback.block_reason})",
            usage=usage,
            model=model,
            id=reply_id,
            guardrails=with_block(found, feedback.block_reason, where="request"),
        )
    candidate = generated.candidates[0]
    parts = (candidate.content.parts if candidate.content else None) or []
    if candidate.content is None and candidate.finish_reason is None:
        raise MalformedAnswer("the reply's candidate holds nothing")
    calls = tuple(
        ToolCall(
            name=call.name,
            arguments=call.args or {},
            id=call.id or "",
            signature=part.thought_signature,
        )
        for part in parts
        if (call := part.function_call) is not None
    )
    reason = candidate.finish_reason or "STOP"
    is_filtered = reason in _FILTERS
    found = (*found, *google_ratings(candidate.safety_ratings, "reply"))
    finish_reason = "content_filter" if is_filtered else _ENDS.get(reason, reason.lower())
    return Answer(
        content="".join(part.text or "" for part in parts if not part.thought),
        tool_calls=calls,
        finish_reason="tool_calls" if calls and reason == "STOP" else finish_reason,
        refusal=f"{FILTERED} ({reason})" if is_filtered else None,
        usage=usage,
        # An answer that failed as a tool call was generated, whatever is counted of it.
        generated=reason in _BAD_CALLS,
        model=model,
        id=reply_id,
        guardrails=with_block(found, reason) if is_filtered else found,
    )


def _usage(usage: _Usage | None) -> Usage | None:
    """Thoughts stand beside the reply's tokens here, tool results beside the prompt's: summed."""
    if usage is None or usage.prompt_token_count is None:
        return None
    said, thought = usage.candidates_token_count or 0, usage.thoughts_token_count or 0
    read, looked_up = usage.prompt_token_count, usage.tool_use_prompt_token_count or 0
    if min(said, thought, read, looked_up) < 0:
        raise MalformedAnswer("the reply counts a negative number of tokens")
    return counted(
        input_tokens=read + looked_up,
        output_tokens=said + thought,
        cached_tokens=usage.cached_content_token_count,
        reasoning_tokens=thought,
    )


GENERATE_CONTENT = WireProtocol(
    noun=NOUN,
    url_of=url_of,
    payload_of=payload_of,
    answer_of=answer_of,
    key_headers=key_headers,
    error_of=error_of,
    stream=CONTENT_STREAM,
)
