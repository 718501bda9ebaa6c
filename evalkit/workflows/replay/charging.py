"""Whose budgets pay for a replay: the run's, never those of the people whose sessions it plays."""

from evalkit.config.model import Config

_OF_CALLERS = ("user", "org", "team", "key")


def charged_to_run(config: Config) -> Config:
    """The configuration without the budgets of callers.

    A week of a user's sessions, played in a minute, is no use that they made of their cap of a day.
    What caps the run, the route and the workflow holds, as it does for every run.
    """
    kept = [budget for budget in config.budgets if budget.scope not in _OF_CALLERS]
    return config.model_copy(update={"budgets": kept})
