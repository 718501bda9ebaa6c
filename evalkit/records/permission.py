"""A permission that a session hands out for one step of a workflow."""

import msgspec


class StepToken(msgspec.Struct, frozen=True, kw_only=True):
    """What `Session.enter` returns. `id` is random, means something to its session only, and is
    in no trace.

    `tools` and `data` tell what the step may use, None for anything, and `expires_at` (ISO 8601,
    UTC) until when. They are for the holder to read: the session trusts its own copy.
    """

    id: str
    step: str
    tools: tuple[str, ...] | None
    data: tuple[str, ...] | None
    expires_at: str

    def __repr__(self) -> str:
        """Without the id: whoever holds that may use the step."""
        return f"StepToken({self.step!r}, expires_at={self.expires_at!r})"
