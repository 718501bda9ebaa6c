"""One list of prices for all arms of a suite: the candidate's.

What a change does to costs is told by the tokens. Were each arm priced by its own configuration, a
change that also lowers `models.NAME.price` would hide what it costs.
"""

import msgspec

from evalkit.config.model import Config
from evalkit.control.prices import call_cost_usd
from evalkit.records.attempt import Attempt


def with_prices_of(config: Config, prices: Config) -> Config:
    """The configuration with the prices of another, for models that are the same in both: by name,
    provider and id."""
    models = dict(config.models)
    for name, model in config.models.items():
        known = prices.models.get(name)
        if known is not None and (known.provider, known.id) == (model.provider, model.id):
            models[name] = model.model_copy(update={"price": known.price})
    return config.model_copy(update={"models": models})


def priced_again(attempt: Attempt, prices: Config) -> Attempt:
    """An attempt of an earlier run at the prices of this one.

    As it is where another model than the planned one had to answer, or the model is no longer the
    one that answered: nothing tells what it would cost.
    """
    model = prices.models.get(attempt.model)
    same = model is not None and attempt.model_id in ("", model.id or attempt.model)
    if model is None or not same or attempt.fallbacks or attempt.cost_usd is None:
        return attempt
    return msgspec.structs.replace(attempt, cost_usd=call_cost_usd(model.price, attempt.usage))
