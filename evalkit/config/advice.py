"""What is allowed in evalkit.yaml and rarely meant: warnings that need no other file."""

from collections.abc import Iterator

from evalkit.config.model import Config
from evalkit.config.problems import Locator
from evalkit.errors import Problem

# how the warning begins that `check` drops for a model whose list price is known
NO_PRICE = "the model has no price"


def advice(config: Config, locator: Locator) -> list[Problem]:
    """Routes without a fallback, and models without a price."""
    return [*_routes(config, locator), *_prices(config, locator)]


def _routes(config: Config, locator: Locator) -> Iterator[Problem]:
    # a judge's stand-in is another judge, so its fallback would answer nothing either
    exercised = {suite.route for suite in config.suites.values()}
    for index, route in enumerate(config.routes):
        if len(route.models.order) == 1 and route.name in exercised:
            yield locator.problem(
                ("routes", index, "models"),
                "the route has one model only, so nothing answers when its provider is down",
                severity="warning",
            )


def _prices(config: Config, locator: Locator) -> Iterator[Problem]:
    capped = any(budget.max_usd is not None for budget in config.budgets)
    refused = ", and refused where the budget has a cap in USD" if capped else ""
    for name, model in config.models.items():
        provider = config.providers.get(model.provider)
        paid = provider is not None and provider.kind != "scripted"
        if model.price is None and paid:
            yield locator.problem(
                ("models", name),
                f"{NO_PRICE}, so its calls are not counted in USD{refused}",
                severity="warning",
            )
