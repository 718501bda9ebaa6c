"""What a route permits, as `route explain` tells it."""

from collections import Counter

from evalkit.config.routes import Route
from evalkit.records.route import PermissionsExplained, StepExplained

_CAPS = ("max_tool_calls", "max_tool_retries", "max_repeats", "max_steps", "max_total_tokens")


def explain_permissions(route: Route) -> PermissionsExplained:
    """Caps, steps, approvals, and what may be said, with their modes."""
    policies = route.policies
    allowed, form = policies.allowed_actions, policies.answer_schema
    needed, citations = route.approvals.execute, route.citations
    modes: dict[str, str] = {"policies.tool_arguments": policies.tool_arguments.mode}
    if allowed is not None:
        modes["policies.allow_actions"] = allowed.mode
    if form is not None:
        modes["policies.output_schema"] = form.mode
    code = policies.rego
    if code is not None:
        modes["policies.rego"] = code.mode
    if citations is not None:
        modes["require_citations"] = citations.mode
    return PermissionsExplained(
        caps={key: cap for key in _CAPS if (cap := getattr(route, key)) is not None},
        allow_actions=None if allowed is None else tuple(allowed.actions),
        steps={
            name: StepExplained(tools=tuple(step.tools), data=tuple(step.data), ttl_s=step.ttl_s)
            for name, step in route.steps.items()
        },
        approval_expires_s=None if needed is None else needed.expires_s,
        blocked_phrases=dict(Counter(phrase.mode for phrase in policies.phrases)),
        rego=() if code is None else tuple(code.files) or (str(code.opa),),
        output_schema=None if form is None else form.json_schema,
        modes=modes,
    )
