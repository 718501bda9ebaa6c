"""Which tool a model has to call, as it is asked in one way and written in each format's own.

The parameter `tool_choice` is OpenAI's: "auto", "none", "required", or the one tool as
{"type": "function", "function": {"name": …}}. `parallel_tool_calls` false allows one call a turn.
Anything else a prompt sets is its vendor's own form, and left as it stands.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from evalkit.control.providers.protocol import UnsentParameter

Mode = Literal["auto", "none", "any", "one"]
_MODES: Mapping[str, Mode] = {"auto": "auto", "none": "none", "required": "any"}


class ToolChoice(NamedTuple):
    """What is chosen: whether a tool is called, and with mode `one` which."""

    mode: Mode
    name: str = ""


def read_choice(value: Any) -> ToolChoice | None:
    """What a parameter means; None for one that is not set, or is a vendor's own form."""
    if isinstance(value, str):
        mode = _MODES.get(value)
        return None if mode is None else ToolChoice(mode)
    if not isinstance(value, dict) or value.get("type") != "function":
        return None
    function = value.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    return ToolChoice("one", name) if isinstance(name, str) else None


def take_choice(params: dict[str, Any]) -> tuple[ToolChoice | None, bool]:
    """What is chosen, taken out of the parameters, and whether calls may be parallel."""
    chosen = read_choice(params.get("tool_choice"))
    if chosen is not None:
        del params["tool_choice"]
    return chosen, params.pop("parallel_tool_calls", None) is not False


def for_responses(params: dict[str, Any]) -> None:
    """In the Responses format: the one tool is named without a wrapper."""
    chosen = read_choice(params.get("tool_choice"))
    if chosen is not None and chosen.mode == "one":
        params["tool_choice"] = {"type": "function", "name": chosen.name}


def for_anthropic(params: dict[str, Any]) -> None:
    """In the Messages format."""
    chosen, is_parallel = take_choice(params)
    if chosen is None and is_parallel:
        return
    written: dict[str, Any] = dict(params.get("tool_choice") or {"type": "auto"})
    if chosen is not None:
        written = {"type": "tool" if chosen.mode == "one" else chosen.mode}
        if chosen.mode == "one":
            written["name"] = chosen.name
    if not is_parallel and written["type"] != "none":
        written["disable_parallel_tool_use"] = True
    params["tool_choice"] = written


def for_gemini(params: dict[str, Any]) -> dict[str, Any] | None:
    """A `functionCallingConfig`; None where nothing was chosen. Raises UnsentParameter."""
    chosen, is_parallel = take_choice(params)
    if not is_parallel:
        raise UnsentParameter(
            "Google's generateContent format has no parameter `parallel_tool_calls`"
        )
    if chosen is None:
        return None
    if chosen.mode == "one":
        return {"mode": "ANY", "allowedFunctionNames": [chosen.name]}
    return {"mode": chosen.mode.upper()}


def for_bedrock(params: dict[str, Any]) -> dict[str, Any] | None:
    """A Converse `toolChoice`; None where nothing was chosen. Raises UnsentParameter."""
    chosen, is_parallel = take_choice(params)
    if not is_parallel:
        raise UnsentParameter("Bedrock's Converse format has no parameter `parallel_tool_calls`")
    if chosen is None:
        return None
    if chosen.mode == "none":
        raise UnsentParameter("Bedrock's Converse format cannot be told `tool_choice` none")
    return {"tool": {"name": chosen.name}} if chosen.mode == "one" else {chosen.mode: {}}
