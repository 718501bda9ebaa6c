"""The composition root of a worker: the arms of a parcel, with limits and budgets elsewhere."""

from collections.abc import Callable, Mapping
from pathlib import Path

from evalkit.config.model import Config
from evalkit.config.routes import Model
from evalkit.control.factory import ControlPlane
from evalkit.control.granting import Budgets, Way
from evalkit.execute.target import Target
from evalkit.ports import Cache, CallLog, EventSink
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.runs.engines.parcel import ArmParcel
from evalkit.workflows.setup.list_prices import ListPrices
from evalkit.workflows.wiring import Wiring


class _PricesAsSent(ListPrices):
    """The control session has looked up what there is; another list here may know another price."""

    def priced(self, config: Config) -> Config:
        """As it came."""
        return config


class WorkerWiring(Wiring):
    """Builds providers and targets as a run in one process does, and asks for the rest.

    `way` makes the way to a model, by the place of its arm and its configured name.
    """

    def __init__(
        self,
        root: Path,
        *,
        live: bool,
        environ: Mapping[str, str],
        way: Callable[[int, str], Way],
    ) -> None:
        """`root` is a folder with the parcel's files and no project."""
        super().__init__(root, live=live, environ=environ)
        self.prices = _PricesAsSent(root, self.clock)
        self._way = way
        self._arm = 0

    def arm(
        self,
        number: int,
        arm: ArmParcel,
        *,
        budgets: Budgets,
        cache: Cache | None,
        emit: EventSink,
        calls: CallLog,
    ) -> tuple[ControlPlane, Target]:
        """The control plane and the target of an arm. Raises ConfigError and Refused."""
        self._arm = number
        assets = arm.assets
        plane = self.control_plane(
            arm.config,
            assets.route,
            suite=assets.name,
            ledger=budgets,
            cache=cache,
            tested=True,
            may_ask=assets.suite.target.program is None,
            emit=emit,
            indexes=assets.indexes,
            output_schema=assets.output_schema,
            policy_code=assets.policy_code,
            calls=calls,
        )
        return plane, self.programs.build(assets, arm.config, WorkingTree(self.root))

    def lane(self, config: Config, name: str, model: Model) -> Way:
        """The way to a model of the arm that is being built: over the network."""
        return self._way(self._arm, name)
