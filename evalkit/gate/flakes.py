"""Flaky cases: an unchanged baseline passes them in some runs and not in others."""

# of fewer runs hardly anything can be said
FEWEST_RUNS = 5


def is_flaky(passes: int, runs: int) -> bool:
    """Whether a case that passed `passes` of `runs` measurements of one content is flaky.

    Judged from the baseline's history, never from the candidate, whose failures may be real.
    """
    return runs >= FEWEST_RUNS and 0 < passes < runs
