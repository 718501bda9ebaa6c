"""Whether a stored session may become a case of a golden set."""

from evalkit.errors import Refused
from evalkit.records.span import SessionTrace


def check_may_become_case(trace: SessionTrace) -> None:
    """Return if it may. Raises Refused, with the way out, if not.

    Its mark decides, which the session or its route set before anything was said; and there has to
    be something to make a case of.
    """
    name = f"trace {trace.trace_id[:8]}"
    if trace.use != "evaluation":
        marked = "for training only" if trace.use == "training" else "for no further use"
        raise Refused(
            f"{name} is marked `use: {trace.use}`, {marked}, so it must not become a case; "
            "`use: evaluation` of a route or a session marks those to come, never a stored one"
        )
    if not trace.content:
        raise Refused(
            f"{name} holds no content to make a case of; `telemetry: {{content: redacted}}` keeps "
            "it, for sessions to come"
        )
    if not any(span.operation == "chat" and span.error is None for span in trace.spans):
        raise Refused(f"{name} has no answered call, so there is nothing to make a case of")
