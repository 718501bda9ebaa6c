"""What a route says of a tool by its name: pure decisions, deny by default, forbid wins."""

from collections.abc import Mapping

from evalkit.config.routes import Route
from evalkit.control.names import folded
from evalkit.control.ruling import Ruling
from evalkit.records.asset import Tool


def rule_forbidden(route: Route, name: str) -> Ruling | None:
    """The no of `policies.disallow_actions`, which nothing overrules; None without one."""
    forbidden = {folded(action) for action in route.policies.disallow_actions}
    if folded(name) not in forbidden:
        return None
    message = f"{name} is never allowed on route {route.name}"
    return Ruling(False, "policies.disallow_actions", message)


def rule_allow_list(route: Route, name: str) -> Ruling | None:
    """The no of `policies.allow_actions`; None where the list has the tool, or there is none."""
    allowed = route.policies.allowed_actions
    if allowed is None or folded(name) in {folded(action) for action in allowed.actions}:
        return None
    names = ", ".join(allowed.actions) or "none"
    return Ruling(
        False,
        "policies.allow_actions",
        f"{name} is not one of the actions of route {route.name}; it may: {names}",
        shadow=allowed.mode == "warn",
    )


def rule_declared(name: str, declared: Mapping[str, Tool]) -> Ruling:
    """Whether the tool was offered to the model."""
    tool = declared.get(name)
    if tool is None:
        return Ruling(False, "tools.declared", f"{name} was not offered to the model")
    message = f"{name} may be called; its effect is {tool.effect}"
    return Ruling(True, "tools.declared", message)
