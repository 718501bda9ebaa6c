"""Builds what policies in Rego are asked through: one object a policy, for all who ask."""

from collections.abc import Callable, Iterable, Mapping

from evalkit.config.routes import Route
from evalkit.control.checks import PolicyCheck
from evalkit.errors import ConfigError, Problem
from evalkit.ports import Transport


class PolicyWiring:
    """Compiles each policy once, and keeps the servers that are asked."""

    def __init__(
        self, *, environ: Mapping[str, str], transport: Callable[[], Transport] | None = None
    ) -> None:
        """Nothing is compiled or opened before it is needed. `transport` is for tests."""
        self._environ = environ
        self._transport = transport
        self._built: dict[str, PolicyCheck] = {}
        self._closing: list[Callable[[], None]] = []

    def checks(self, route: Route, sources: Mapping[str, str]) -> tuple[PolicyCheck, ...]:
        """The policies in Rego of a route, whose files are `sources` by path.

        Raises ConfigError for what does not compile or needs the extra `rego`.
        """
        policy = route.policies.rego
        if policy is None:
            return ()
        key = repr((policy.plain(), sorted(sources.items())))
        if key not in self._built:
            self._built[key] = self._build(route, sources)
        return (self._built[key],)

    def close(self) -> None:
        """Give threads and connections back."""
        for close in self._closing:
            close()
        self._closing.clear()
        self._built.clear()

    def _build(self, route: Route, sources: Mapping[str, str]) -> PolicyCheck:
        policy = route.policies.rego
        assert policy is not None
        shadow = policy.mode == "warn"
        if policy.opa is None:
            from evalkit.control.rego.engine import RegoEngine

            engine = RegoEngine(
                sources, package=policy.package, shadow=shadow, timeout_s=policy.timeout_s
            )
            self._closing.append(engine.close)
            return engine
        from evalkit.control.providers.transport import build_transport
        from evalkit.control.rego.server import OpaServer

        server = OpaServer(
            policy.opa,
            package=policy.package,
            shadow=shadow,
            transport=self._transport or build_transport,
            timeout_s=policy.timeout_s,
            token_env=policy.token_env,
            environ=self._environ,
        )
        self._closing.append(server.close)
        return server


def policy_problems(
    routes: Iterable[Route], code: Mapping[str, Mapping[str, str]]
) -> list[Problem]:
    """What does not compile of the policies in Rego, and what nobody can say without asking.

    `code` maps the names of routes to their files.
    """
    problems: list[Problem] = []
    for route in routes:
        policy = route.policies.rego
        if policy is None:
            continue
        if policy.opa is not None:
            problems.append(
                Problem(
                    key=f"routes.{route.name}.policies.rego",
                    message=f"the policies at {policy.opa} are not versioned with the project: a "
                    "change of them is no candidate, and a run tests what the server holds then",
                    severity="warning",
                )
            )
            continue
        wiring = PolicyWiring(environ={})
        try:
            wiring.checks(route, code.get(route.name, {}))
        except ConfigError as error:
            problems += error.problems
        finally:
            wiring.close()
    return problems
