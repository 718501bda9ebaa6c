"""`breaker` and `limits`: when a model is left alone, and how fast a provider is asked."""

from typing import Annotated

from pydantic import Field

from evalkit.config.base import Part


class BreakerRules(Part):
    """When calls to a model of a provider are given up for a while: one circuit for each.

    Timeouts, lost connections, 5xx and replies that are none count as failures. A 429 is load, and
    a request or a key that is not accepted is no failure of the provider: neither counts.
    """

    failure_rate: Annotated[
        float,
        Field(gt=0, le=1, description="The share of failures at which the circuit opens."),
    ] = 0.8
    min_calls: Annotated[
        int, Field(ge=1, le=100_000, description="Fewer calls than that in the window open none.")
    ] = 20
    window_s: Annotated[
        float, Field(gt=0, le=86_400, description="How far back calls count, in seconds.")
    ] = 60.0
    cool_down_s: Annotated[
        float,
        Field(
            gt=0,
            le=86_400,
            description="How long the model is not asked. Then one call probes it: its answer "
            "closes the circuit, its failure opens it for as long again.",
        ),
    ] = 5.0


class Limits(Part):
    """How fast a provider is asked by one process, over all its models and sessions."""

    requests_per_minute: Annotated[
        int | None, Field(ge=1, description="Calls that start within any 60 seconds.")
    ] = None
    tokens_per_minute: Annotated[
        int | None,
        Field(
            ge=1,
            description="Tokens within any 60 seconds: each call counts with its upper bound, and "
            "with what it used once that is known. A call above the whole limit waits for all "
            "of it.",
        ),
    ] = None
    max_concurrency: Annotated[
        int | None,
        Field(
            ge=1,
            le=4096,
            description="Calls in the air at one time. A 429 halves what is used of it, answers "
            "bring it back one by one.",
        ),
    ] = None
