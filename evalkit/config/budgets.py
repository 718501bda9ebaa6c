"""`budgets`: caps on what calls spend, each over a scope and a window."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import Part

Scope = Literal["run", "user", "org", "team", "route", "workflow", "key"]
Window = Literal["run", "hour", "day", "month"]
# up to here a budget that degrades serves the route's own models, the rest is the cheaper one's
DEGRADE_AT = 0.8


class Budget(Part):
    """A cap, reserved before each call and settled after it."""

    scope: Annotated[
        Scope,
        Field(
            description="What the cap is over. run: one `evalkit run`. Each user, org, team, "
            "route, workflow (a suite is one) and key of the gateway has the cap of its own."
        ),
    ]
    only: Annotated[
        str | None,
        Field(
            alias="for",
            min_length=1,
            description="The one that is capped, by its name (a key: its id) or, of a user, org "
            "or team, by its pseudonym. Default: every one of its scope.",
        ),
    ] = None
    max_usd: Annotated[
        float | None, Field(gt=0, description="At list prices; what replays is free.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(gt=0, description="Request and reply tokens together.")
    ] = None
    window: Annotated[
        Window | None,
        Field(
            description="How long spending counts: one run, or an hour, day or month of the "
            "calendar in UTC. Default: run for scope run, day for the others."
        ),
    ] = None
    on_exceed: Annotated[
        Literal["stop", "degrade"],
        Field(
            description="stop: the call is refused, and a run ends with what is done (exit 4). "
            "degrade: where the route has a cheaper model, that one is asked once `degrade_at` is "
            "reached; the cap itself still holds."
        ),
    ] = "stop"
    degrade_at: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="Of a budget that degrades: the share of the cap that the route's own "
            f"models may use. Default: {DEGRADE_AT}.",
        ),
    ] = None

    @property
    def period(self) -> Window:
        """The window, by default that of the scope."""
        return self.window or ("run" if self.scope == "run" else "day")

    @property
    def full_share(self) -> float:
        """The share of the cap for calls that could still go to a cheaper model."""
        return (self.degrade_at or DEGRADE_AT) if self.on_exceed == "degrade" else 1.0

    @model_validator(mode="after")
    def _caps_something(self) -> "Budget":
        if self.max_usd is None and self.max_tokens is None:
            raise ValueError("a budget caps something: give max_usd or max_tokens")
        if self.scope == "run" and self.period != "run":
            raise ValueError(
                "a budget of scope run is over one run, so its window is run; a cap over all runs "
                "of a day is one of scope route, workflow, user, org or team"
            )
        if self.scope == "run" and self.only is not None:
            raise ValueError("a budget of scope run is for every run; `for` names nothing there")
        if self.degrade_at is not None and self.on_exceed != "degrade":
            raise ValueError("degrade_at belongs to a budget with `on_exceed: degrade`")
        return self
