"""The caps of a workflow that a turn of its model runs into: turns, and tokens altogether."""

from collections.abc import Iterator

from evalkit.config.routes import Route
from evalkit.control.ruling import Ruling


def rule_turn(route: Route, turn: int, used: int, bound: int) -> Iterator[Ruling]:
    """The caps that turn number `turn` would break.

    `used` are the tokens of the turns before it, `bound` an upper bound of those of this one, so
    that the cap holds whatever the model answers. Replayed replies count as what they were.
    """
    if route.max_steps is not None and turn > route.max_steps:
        message = f"this would be turn {turn} of at most {route.max_steps}"
        yield Ruling(False, "max_steps", message, data={"count": turn, "cap": route.max_steps})
    cap = route.max_total_tokens
    if cap is not None and used + bound > cap:
        message = f"{used} tokens are used and the call may take {bound} more, of at most {cap}"
        yield Ruling(False, "max_total_tokens", message, data={"count": used, "cap": cap})
