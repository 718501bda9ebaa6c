"""What a route's policies come to: worked out once, for all its sessions."""

import msgspec

from evalkit.config.permissions import OutputSchema
from evalkit.config.routes import Route
from evalkit.control.phrases import PhraseScreen
from evalkit.control.screening import ScreenRule, screen_rules


class RouteRules(msgspec.Struct, frozen=True):
    """The compiled policies of one route. Nothing of it changes from session to session."""

    phrases: PhraseScreen
    screen: tuple[ScreenRule, ...]
    answer_schema: OutputSchema | None


def rules_of(route: Route) -> RouteRules:
    """The rules of a route."""
    policies = route.policies
    return RouteRules(
        phrases=PhraseScreen(policies.phrases),
        screen=screen_rules(policies),
        answer_schema=policies.answer_schema,
    )
