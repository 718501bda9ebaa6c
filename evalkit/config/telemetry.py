"""`telemetry` and `retention`: where traces go, what they hold, and how long what is kept."""

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from evalkit.config.base import AGE, SIZE, URL, VARIABLE, Part

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_BYTES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}

Age = Annotated[str, Field(pattern=AGE, max_length=10)]
Size = Annotated[str, Field(pattern=SIZE, max_length=12)]


def age_of(text: str) -> timedelta:
    """The length of an age such as `30d`."""
    return int(text[:-1]) * _UNITS[text[-1]]


def is_age(text: str) -> bool:
    """Whether it is an age such as `30d`."""
    return re.fullmatch(AGE, text) is not None


def size_of(text: str) -> int:
    """The bytes of a size such as `2GB`."""
    return int(float(text[:-2]) * _BYTES[text[-2:]])


class Otlp(Part):
    """A collector that takes OTLP over HTTP (extra `otel`)."""

    endpoint: Annotated[
        str,
        Field(
            pattern=URL,
            description="Its address, such as http://127.0.0.1:4318. /v1/traces is added to one "
            "without a path.",
        ),
    ]
    headers_env: Annotated[
        str | None,
        Field(
            pattern=VARIABLE,
            description="The environment variable that holds headers for it: name=value, several "
            "with commas between them. Keys never stand here.",
        ),
    ] = None
    timeout_s: Annotated[
        float, Field(gt=0, le=60, description="How long one batch may take, in seconds.")
    ] = 5.0
    service: Annotated[
        str, Field(min_length=1, max_length=100, description="What spans give as service.name.")
    ] = "evalkit"

    @field_validator("endpoint")
    @classmethod
    def _no_password(cls, value: str) -> str:
        if "@" in value.split("//", 1)[-1].split("/", 1)[0]:
            raise ValueError("the address of a collector holds no user and password: headers_env")
        return value

    @property
    def traces_url(self) -> str:
        """Where traces are sent to."""
        bare = re.fullmatch(r"(https?://[^/?#]+)/?", self.endpoint)
        return f"{bare[1]}/v1/traces" if bare else self.endpoint


class Telemetry(Part):
    """What sessions and attempts tell of themselves, and to whom."""

    otlp: Annotated[
        Otlp | None,
        Field(description="A collector that spans are sent to. One that is down fails no run."),
    ] = None
    content: Annotated[
        Literal["none", "redacted"],
        Field(
            description="Whether traces hold what was said (messages, tool arguments and results, "
            "queries), without personal data and secrets."
        ),
    ] = "none"
    traces: Annotated[
        bool,
        Field(description="Keep the traces of sessions outside of runs in .evalkit/traces/."),
    ] = True


class CacheRetention(Part):
    """How long the reply cache keeps what."""

    max_age: Annotated[
        Age | None, Field(description="Replies measured longer ago are removed.")
    ] = None
    max_size: Annotated[
        Size | None,
        Field(
            description="The replies that were not used for longest are removed until the rest "
            "take less: by `evalkit prune`, and while runs store new ones (there 2GB by default)."
        ),
    ] = None


class Retention(Part):
    """How long private state is kept. `evalkit prune` removes what is older.

    Nothing else does, but for the size of the reply cache, which runs keep to as well."""

    runs: Annotated[
        Age | None,
        Field(
            description="Run bundles. Baselines, the newest passing run of every branch and the "
            "newest run are kept however old they are."
        ),
    ] = None
    traces: Annotated[Age | None, Field(description="Traces of sessions outside of runs.")] = None
    audit: Annotated[
        Age | None,
        Field(description="Audit entries; a checkpoint stays, so that the rest can be verified."),
    ] = None
    approvals: Annotated[
        Age | None,
        Field(description="Approvals that were used or denied; those that wait stay."),
    ] = None
    cache: Annotated[CacheRetention, Field(description="The reply cache.")] = (
        CacheRetention.model_construct()
    )
