"""Paths that there are not, and methods that a path does not have: told in the nearest format."""

from collections.abc import Mapping, Sequence

from starlette.routing import Match, Route

from evalkit.gateway.doors.anthropic_words import error_body as anthropic_error
from evalkit.gateway.doors.openai_errors import error_body as openai_error
from evalkit.gateway.exchange import ErrorWriter, Exchange
from evalkit.gateway.refusals import Refusal

_ANTHROPICS = "/v1/messages"


def nearest_error(path: str) -> ErrorWriter:
    """How errors are written at a path: as Anthropic does at and below its own, else as OpenAI."""
    return anthropic_error if path.startswith(_ANTHROPICS) else openai_error


class Nowhere:
    """Answers what no door is for."""

    def __init__(self, routes: Sequence[Route]) -> None:
        """`routes` are those that there are."""
        self._routes = routes

    async def serve(self, exchange: Exchange, path: str) -> None:
        """404, or 405 with the methods that there are."""
        refusal, more = self._refusal(path, exchange.method)
        await exchange.refuse(refusal, nearest_error(path), more=more)

    def _refusal(self, path: str, method: str) -> tuple[Refusal, Mapping[str, str]]:
        asked = {"type": "http", "path": path, "root_path": "", "method": method}
        allowed = sorted(
            {
                each
                for route in self._routes
                if route.matches(asked)[0] is not Match.NONE
                for each in route.methods or ()
            }
        )
        if not allowed:
            known = ", ".join(sorted({route.path for route in self._routes}))
            message = f"there is nothing at this path; there is {known}"
            return _refusal(404, "not_found", message), {}
        message = f"this path takes {' and '.join(allowed)}"
        return _refusal(405, "method_not_allowed", message), {"allow": ", ".join(allowed)}


def _refusal(status: int, code: str, message: str) -> Refusal:
    return Refusal(status=status, kind="not_found", code=code, message=message)
