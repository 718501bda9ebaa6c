"""A permission that a session hands out for one step of a workflow."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class StepToken:
    """What `Session.enter` returns. `id` is random, means something to its session only, and is
    in no trace.

    `tools` and `data` tell what the step may use, None for anything, and `expires_at` (ISO 8601,
    UTC) until when. They are for the holder to read: the session trusts its own copy.
    """

    id: str = field(repr=False)
    step: str
    tools: tuple[str, ...] | None
    data: tuple[str, ...] | None
    expires_at: str
