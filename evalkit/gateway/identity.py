"""Whose request it is, and what the key opens."""

from evalkit.gateway.asked import Asked
from evalkit.gateway.exchange import Exchange
from evalkit.gateway.refusals import Declined, Refusal, unreadable
from evalkit.gateway.service import Service
from evalkit.records.gateway_key import GatewayKey, Purpose


def identify(exchange: Exchange, service: Service, purpose: Purpose = "calls") -> GatewayKey:
    """Whose request it is: a key as bearer token, or in x-api-key. Raises Declined.

    A key that is for something else than the `purpose` does not do.
    """
    key = sent_key(exchange)
    holder = service.holder(key) if key else None
    if holder is None:
        message = (
            "this key is unknown, expired or revoked" if key else "a key of the gateway is needed"
        )
        raise Declined(
            Refusal(
                status=401,
                kind="authentication",
                code="invalid_api_key",
                message=f"{message}; `evalkit key add` makes one",
            )
        )
    exchange.key = holder.id
    if holder.purpose != purpose:
        message = (
            f"this key is for {holder.purpose}; `evalkit key add --for {purpose}` makes another"
        )
        raise Declined(Refusal(status=403, kind="permission", code="wrong_key", message=message))
    return holder


def sent_key(exchange: Exchange) -> str:
    """The key that came with a request, as OpenAI's clients send it or as Anthropic's do."""
    scheme, _, bearer = exchange.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip()
    return exchange.headers.get("x-api-key", "")


def route_of(asked: Asked, exchange: Exchange, holder: GatewayKey, service: Service) -> str:
    """The route that a request is for: the one in x-evalkit-route, else its model. Raises Declined.

    Raises it too for a request in the name of another than the key's user.
    """
    if holder.user and asked.end_user not in ("", holder.user):
        raise unreadable("the key is one person's, and the request names another user", "user")
    return opened_route(exchange.headers.get("x-evalkit-route") or asked.model, holder, service)


def opened_route(name: str, holder: GatewayKey, service: Service) -> str:
    """A route that the key opens. Raises Declined for any other.

    A key that may not use a route is not told that there is one.
    """
    if name not in service.routes or not holder.may_use(name):
        known = ", ".join(each for each in service.routes if holder.may_use(each)) or "none"
        raise Declined(
            Refusal(
                status=404,
                kind="not_found",
                code="model_not_found",
                message=f"there is no route {name!r} for this key; there is {known}",
                param="model",
            )
        )
    return name
