"""The object that plays the cases of a suite, by the kind of its target."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.config.model import Config
from evalkit.config.targets import CommandTarget as CommandSettings
from evalkit.config.targets import HttpTarget as HttpSettings
from evalkit.config.targets import PythonTarget as PythonSettings
from evalkit.errors import Refused
from evalkit.execute.prompt_target import PromptTarget
from evalkit.execute.target import Target
from evalkit.ports import FileTree, ModelDoor, Transport
from evalkit.sources.assets import SuiteAssets
from evalkit.sources.git import GitTree
from evalkit.sources.git_worktree import GitWorktree

if TYPE_CHECKING:
    from evalkit.workflows.attempt_gateway import AttemptGateway


class ProgramWiring:
    """Folders and targets of the programs that a run tests, to be taken down at its end.

    A program of a commit runs in a checkout of that commit, every other one in the project itself.
    """

    def __init__(
        self, root: Path, *, environ: Mapping[str, str], transport: Callable[[], Transport]
    ) -> None:
        """Nothing is checked out or started before it is needed."""
        self._root = root
        self._environ = environ
        self._transport = transport
        self._worktrees: dict[str, GitWorktree] = {}
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._gateway: AttemptGateway | None = None

    def build(
        self, assets: SuiteAssets, config: Config, tree: FileTree, *, look_ahead: bool = False
    ) -> Target:
        """The target of one arm; `look_ahead` as `build_target` takes it.

        Raises Refused for a header whose variable is not set, and where a commit cannot be checked
        out.
        """
        settings = assets.suite.target.program
        timeout_s = config.run.timeout_s
        reference, route = assets.reference, assets.route.name
        target: Target
        door = self._door() if settings is not None and settings.gateway else None
        match settings:
            case HttpSettings():
                from evalkit.execute.programs.http_target import HttpTarget

                target = HttpTarget(
                    settings.url,
                    headers={**settings.headers, **self._secret_headers(settings, assets.name)},
                    fields=settings.fields.plain(),
                    timeout_s=settings.timeout_s or timeout_s,
                    transport=self._transport(),
                    reference=reference,
                    route=route,
                    door=door,
                )
            case PythonSettings():
                from evalkit.execute.programs.python_target import PythonTarget

                target = PythonTarget(
                    settings.call,
                    folder=self._folder(tree),
                    timeout_s=settings.timeout_s or timeout_s,
                    processes=settings.processes,
                    reference=reference,
                    route=route,
                    door=door,
                )
            case CommandSettings():
                from evalkit.execute.programs.command_target import CommandTarget

                target = CommandTarget(
                    settings.argv,
                    folder=self._folder(tree),
                    timeout_s=settings.timeout_s or timeout_s,
                    reference=reference,
                    route=route,
                    door=door,
                )
            case None:
                return build_target(assets, look_ahead=look_ahead)
        self._closing.append(target.close)
        return target

    def _door(self) -> ModelDoor:
        """The gateway of this run, which all of its programs share. Raises Refused."""
        if self._gateway is None:
            from evalkit.workflows.attempt_gateway import AttemptGateway

            self._gateway = AttemptGateway(self._root)
            self._closing.append(self._gateway.close)
        return self._gateway

    def _secret_headers(self, settings: HttpSettings, suite: str) -> dict[str, str]:
        missing = [name for name in settings.headers_env.values() if not self._environ.get(name)]
        if missing:
            raise Refused(
                f"suite {suite}: the headers of its target are looked for in "
                f"{', '.join(f'${name}' for name in missing)}, which is not set"
            )
        return {header: self._environ[name] for header, name in settings.headers_env.items()}

    def _folder(self, tree: FileTree) -> Path:
        if not isinstance(tree, GitTree):
            return self._root.resolve()
        if tree.sha not in self._worktrees:
            self._worktrees[tree.sha] = GitWorktree(
                self._root, tree.sha, state=self._root.resolve() / ".evalkit"
            )
        return self._worktrees[tree.sha].root

    async def close(self) -> None:
        """End what runs, and take the checkouts away."""
        for close in reversed(self._closing):  # the gateway, which came first, ends last
            await close()
        self._gateway = None
        self._closing.clear()
        for worktree in self._worktrees.values():
            worktree.remove()
        self._worktrees.clear()


def build_target(assets: SuiteAssets, *, look_ahead: bool = False) -> Target:
    """A prompt or an agent, ready to play cases.

    With `look_ahead` replayed conversations are played when they are prepared. That may ask nobody,
    so it is not for a run whose providers are broken on purpose. Raises ConfigError for a template,
    and Refused for a program, whose calls are its own.
    """
    route = assets.route.name
    if assets.agent is not None:
        from evalkit.execute.agent_target import AgentTarget

        return AgentTarget(assets.agent, route=route, look_ahead=look_ahead)
    if assets.prompt is None:
        raise Refused(
            f"suite {assets.name} tests a program ({assets.reference}), which makes its calls by "
            "itself: what it would ask is known when it runs"
        )
    return PromptTarget(assets.prompt, route=route)
