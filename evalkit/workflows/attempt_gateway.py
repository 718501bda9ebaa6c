"""The gateway that a run starts for the applications it tests: on loopback, in its own loop."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from evalkit.errors import Refused
from evalkit.ports import ModelSession
from evalkit.sources.tools import read_tools
from evalkit.sources.tree import WorkingTree

_DRAIN_S = 1


class AttemptGateway:
    """Implements ports.ModelDoor. Nothing listens before the first token is issued."""

    def __init__(self, root: Path) -> None:
        """For programs of the project at `root`. Raises Refused without the extra, ConfigError."""
        try:
            from evalkit.gateway.attempts import AttemptDesk, Attempts, build_attempt_app
            from evalkit.workflows.quiet_server import QuietServer
        except ImportError as error:
            raise Refused(
                "a target with `gateway: true` needs the extra `gateway` "
                f"({error.name} is missing): pip install 'evalkit[gateway]'"
            ) from None
        known = read_tools(WorkingTree(root))
        self._attempts = Attempts()
        desk = AttemptDesk(
            self._attempts, lambda tools: tuple(known.get(tool.name, tool) for tool in tools)
        )
        self._server = QuietServer(build_attempt_app(desk), drain_s=_DRAIN_S)

    async def issue(self) -> str:
        """A new token; the first one opens the door. Raises Refused where nothing can listen."""
        await self._server.start()
        return self._attempts.new_token()

    def attempt(self, token: str, session: ModelSession) -> AbstractContextManager[None]:
        """Around an attempt: calls that come with the token are made in the session."""
        return self._attempts.attempt(token, session)

    def environ(self, token: str) -> Mapping[str, str]:
        """Variables of OpenAI's and Anthropic's clients, and of what is built on them."""
        url = self._server.url
        return {
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_BASE": f"{url}/v1",
            "OPENAI_API_KEY": token,
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": token,
            "EVALKIT_BASE_URL": url,
            "EVALKIT_ATTEMPT": token,
        }

    def headers(self, token: str) -> Mapping[str, str]:
        """The address with the attempt in its path, and the token by itself."""
        url = self._server.url
        return {"x-evalkit-base-url": f"{url}/attempt/{token}", "x-evalkit-attempt": token}

    async def close(self) -> None:
        """Nothing listens any more."""
        await self._server.stop()
