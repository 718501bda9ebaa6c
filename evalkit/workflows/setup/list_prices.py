"""Prices for models that name none: the installed list's, at one day for everything a run does."""

from datetime import date
from pathlib import Path

from pydantic import ValidationError

from evalkit.config.model import Config
from evalkit.config.prices import Price
from evalkit.config.routes import Model
from evalkit.control.price_list import list_price, may_list, price_source
from evalkit.ports import Clock
from evalkit.records.prices import ListedPrices
from evalkit.store.prices import StoredPrices


class ListPrices:
    """Fills configurations in. Its day is that of the first one: `prices.at`, else today; baseline,
    candidate and judges of a run are then priced alike."""

    def __init__(self, root: Path, clock: Clock) -> None:
        """Nothing is looked up before a model needs it."""
        self._clock = clock
        self._stored = StoredPrices(root)
        self._at: str | None = None
        self._source = ""
        self._used: dict[str, Price] = {}

    def pin(self, at: str) -> None:
        """Price by that day: a run that goes on keeps the day on which it was started."""
        self._at = at

    @property
    def used(self) -> ListedPrices | None:
        """What was taken from the list so far, None if nothing was."""
        if not self._used or self._at is None:
            return None
        models = {name: price.plain(without_defaults=True) for name, price in self._used.items()}
        return ListedPrices(source=self._source, at=self._at, models=models)

    def priced(self, config: Config) -> Config:
        """The configuration with a list price for every model that has none and is listed.

        Raises StoreError where what was looked up cannot be stored.
        """
        if self._at is None:
            self._at = config.prices.at or self._clock.now().date().isoformat()
        models = dict(config.models)
        for name, model in config.models.items():
            if model.price is None and (price := self._find(config, name, model)) is not None:
                models[name] = model.model_copy(update={"price": price})
                self._used[name] = price
        return config.model_copy(update={"models": models}) if models != config.models else config

    def _find(self, config: Config, name: str, model: Model) -> Price | None:
        provider = config.providers.get(model.provider)
        address = None if provider is None else provider.address
        if address is None or not may_list(address):
            return None
        assert self._at is not None, "a day is pinned before anything is looked up"
        self._source = self._source or price_source()
        question = (self._source, self._at, address, model.id or name)
        known, answer = self._stored.get(question)
        if known:
            try:
                return None if answer is None else Price.model_validate(answer)
            except ValidationError:
                pass  # of another evalkit: asked again
        price = list_price(address, model.id or name, date.fromisoformat(self._at))
        self._stored.put(question, None if price is None else price.plain(without_defaults=True))
        return price
