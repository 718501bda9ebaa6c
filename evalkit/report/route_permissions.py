"""What a route permits, in words for `evalkit route explain`."""

from evalkit.records.route import PermissionsExplained, StepExplained
from evalkit.report.figures import count, quantity


def cap_words(permissions: PermissionsExplained) -> list[str]:
    """Caps of a session besides tool calls, one each."""
    caps, words = permissions.caps, []
    if (cap := caps.get("max_tool_retries")) is not None:
        words.append(f"{cap} {'retry' if cap == 1 else 'retries'} of a call that failed")
    if (cap := caps.get("max_repeats")) is not None:
        words.append(f"{count(cap, 'repeat')} of a call")
    if (cap := caps.get("max_steps")) is not None:
        words.append(count(cap, "turn"))
    if (cap := caps.get("max_total_tokens")) is not None:
        words.append(f"{cap:,} tokens a session")
    return words


def permission_words(permissions: PermissionsExplained) -> list[str]:
    """Policies of tools and replies, one each."""
    words = []
    if permissions.allow_actions is not None:
        names = ", ".join(permissions.allow_actions) or "no tool"
        words.append(f"calls only {names}{mode_words(permissions, 'policies.allow_actions')}")
    if permissions.modes.get("policies.tool_arguments") == "warn":
        words.append("arguments of tools are looked at (warn only)")
    if permissions.output_schema is not None:
        mode = mode_words(permissions, "policies.output_schema")
        words.append(f"answers must meet {permissions.output_schema}{mode}")
    if permissions.rego:
        where = ", ".join(permissions.rego)
        words.append(f"policies in Rego: {where}{mode_words(permissions, 'policies.rego')}")
    if permissions.blocked_phrases:
        kinds = [f"{mode} {number}" for mode, number in permissions.blocked_phrases.items()]
        phrases = count(sum(permissions.blocked_phrases.values()), "blocked phrase")
        words.append(f"{phrases} ({', '.join(kinds)})")
    return words


def mode_words(permissions: PermissionsExplained, key: str) -> str:
    """Says so where a policy stops nothing."""
    return " (warn only)" if permissions.modes.get(key) == "warn" else ""


def step_words(name: str, step: StepExplained) -> str:
    """A step with its tools, its indexes and the time its token holds."""
    tools = ", ".join(step.tools) or "no tool"
    data = ", ".join(step.data) or "no index"
    return f"{name}: calls {tools}; reads {data}; for {quantity(step.ttl_s)} s"
