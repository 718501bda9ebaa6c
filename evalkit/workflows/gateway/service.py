"""What the gateway needs of a project."""

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from evalkit.errors import StoreError, UsageError
from evalkit.gateway.service import Decide
from evalkit.gateway.standing import Standing
from evalkit.ports import Session
from evalkit.records.approval import Approval
from evalkit.records.asset import Tool
from evalkit.records.gateway_key import GatewayKey
from evalkit.sources.tools import read_tools
from evalkit.sources.tree import WorkingTree
from evalkit.store.gateway_keys import GatewayKeys
from evalkit.store.key_cache import KeyCache
from evalkit.workflows.approving import ApprovalDesk
from evalkit.workflows.gateway.standing import (
    budgets_left,
    check_ledger,
    circuits_of,
    loads_of,
)
from evalkit.workflows.project import Identity, Project

_log = logging.getLogger("evalkit.gateway")
# readiness is asked without a key: the disk is not, more often than that
_READY_S = 1.0


class ProjectService:
    """Implements gateway.service.Service over a loaded project."""

    def __init__(self, project: Project) -> None:
        """Its sessions are the project's, as programs open them. Raises ConfigError."""
        self._project = project
        self._tools = read_tools(WorkingTree(project.root))
        self._key_file = GatewayKeys(project.root, now=_now)
        self._keys = KeyCache(self._key_file.find, now=_now, monotonic=time.monotonic)
        self._looked: tuple[float, str | None] | None = None

    @property
    def generation(self) -> int:
        """A project that is loaded once has one."""
        return 1

    @property
    def routes(self) -> Sequence[str]:
        """The names of the project's routes."""
        return [route.name for route in self._project.assets.config.routes]

    def holder(self, key: str) -> GatewayKey | None:
        """Whose key it is. Raises StoreError."""
        return self._keys.find(key)

    def problem(self) -> str | None:
        """`keys` or `ledger` where that file cannot be read."""
        at_s = time.monotonic()
        if self._looked is None or self._looked[0] + _READY_S <= at_s:
            self._looked = (at_s, self._look())
        return self._looked[1]

    def _look(self) -> str | None:
        for name, check in (
            ("keys", self._key_file.check),
            ("ledger", lambda: check_ledger(self._project.root)),
        ):
            try:
                check()
            except StoreError as error:
                _log.error("%s", error)
                return name
        return None

    def standing(self) -> Standing:
        """How it stands. Raises StoreError."""
        traffic = self._project.traffic
        config = self._project.assets.config
        return Standing(
            circuits=circuits_of(traffic),
            providers=loads_of(traffic),
            budgets=budgets_left(self._project.root, config, self._key_file.all(), now=_now()),
            lost_traces=self._project.lost_traces,
        )

    @asynccontextmanager
    async def session(
        self, route: str, holder: GatewayKey, *, end_user: str
    ) -> AsyncIterator[Session]:
        """A session on a route, for the key's holder or whom they ask for."""
        who = Identity(user=holder.user or end_user, org=holder.org, team=holder.team)
        async with self._project.session(route, who, key=holder) as session:
            yield session

    def known_tools(self, tools: Sequence[Tool]) -> tuple[Tool, ...]:
        """The tools, those that the project knows as it declares them: an application cannot make
        a tool that executes one that reads, nor its arguments wider."""
        return tuple(self._tools.get(tool.name, tool) for tool in tools)

    def approvals(self, holder: GatewayKey) -> Sequence[Approval]:
        """What waits for the decision of the key's team. Raises StoreError, ConfigError."""
        waiting = ApprovalDesk(self._project.root).waiting()
        return [each for each in waiting if holder.team and each.asked.team == holder.team]

    def decide(self, id_: str, holder: GatewayKey, decision: Decide) -> Approval:
        """Grant or deny, as the key's user and for its team.

        Raises UsageError where that is not theirs to say, StoreError, ConfigError.
        """
        if not (holder.user and holder.team):
            raise UsageError("this key is not a person's in a team, so it decides nothing")
        desk = ApprovalDesk(self._project.root)
        # by its whole id, and without a word on those of other teams
        if not any(each.id == id_ and each.asked.team == holder.team for each in desk.all()):
            raise UsageError(f"there is no approval {id_!r} for {holder.team} to decide")
        if decision.says == "deny":
            return desk.deny(id_, by=holder.user, team=holder.team, reason=decision.reason)
        return desk.grant(
            id_,
            by=holder.user,
            team=holder.team,
            expires_s=decision.expires_s,
            any_arguments=decision.any_arguments,
        )

    def now_s(self) -> int:
        """Seconds since 1970."""
        return int(time.time())


def _now() -> datetime:
    return datetime.now(UTC)
