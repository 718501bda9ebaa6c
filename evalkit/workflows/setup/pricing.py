"""One list of prices for all arms of a suite: the candidate's.

What a change does to costs is told by the tokens. Were each arm priced by its own configuration, a
change that also lowers `models.NAME.price` would hide what it costs.
"""

from collections.abc import Mapping

import msgspec

from evalkit.config.model import Config
from evalkit.control.prices import call_cost_usd
from evalkit.records.attempt import Attempt
from evalkit.records.run import StoredRun


def with_prices_of(config: Config, prices: Config) -> Config:
    """The configuration with the prices of another, for models that are the same in both: by name,
    provider and id."""
    models = dict(config.models)
    for name, model in config.models.items():
        known = prices.models.get(name)
        if known is not None and (known.provider, known.id) == (model.provider, model.id):
            models[name] = model.model_copy(update={"price": known.price})
    return config.model_copy(update={"models": models})


def priced_again(attempt: Attempt, prices: Config, asked: Mapping[str, str]) -> Attempt:
    """An attempt of an earlier run at the prices of this one; `asked` are that run's models by
    name, with what the provider calls them.

    As it is where several models were asked, or the name means another model now: nothing tells
    what it would cost.
    """
    model = prices.models.get(attempt.model)
    if model is None or asked.get(attempt.model) != (model.id or attempt.model):
        return attempt
    if attempt.fallbacks or attempt.cost_usd is None:
        return attempt
    return msgspec.structs.replace(attempt, cost_usd=call_cost_usd(model.price, attempt.usage))


def models_of(run: StoredRun, suite: str) -> Mapping[str, str]:
    """What a run asked in any arm of a suite: names of models, and what the provider calls them."""
    return {
        name: called
        for each in run.record.suites
        if each.suite == suite
        for variant in each.variants
        for name, called in variant.models.items()
    }
