"""waivers.yaml: who accepted which part of a gate as it is, why, until when, and how far."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from evalkit.config.base import DATE, Name, Part
from evalkit.config.suites import Suite

Cover = Literal["up_to", "at_least", "cases", "text"]
COVERS: tuple[Cover, ...] = ("up_to", "at_least", "cases", "text")
# A waiver ends: what is accepted for longer belongs into the gate itself.
MAX_DAYS = 366
MIN_REASON = 10

_BY_NAME: dict[str, Cover] = {
    "drop": "up_to",
    "anchor drop": "up_to",
    "floor": "at_least",
    "gate change": "text",
    "headroom": "text",
}
_BY_KIND: dict[str, Cover] = {"metric": "up_to", "invariant": "cases"}


class WaiverEntry(Part):
    """One accepted part. It holds to the end of `until`, and covers no more than it says."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [key]} for key in COVERS]},
    )

    id: Annotated[Name, Field(description="Its name, once in the file.")]
    suite: Annotated[Name, Field(description="The suite.")]
    part: Annotated[
        str,
        Field(
            min_length=1,
            max_length=300,
            description="The part of its gate, as reports name it: `drop`, `floor`, "
            "`slice:TAG drop`, `metric:NAME`, `invariant:NAME`, `anchor drop`, `gate change`.",
        ),
    ]
    reason: Annotated[
        str,
        Field(min_length=MIN_REASON, max_length=2_000, description="Why it is acceptable for now."),
    ]
    accepted_by: Annotated[
        str, Field(min_length=2, max_length=200, description="Who accepted it, a person.")
    ]
    on: Annotated[str, Field(pattern=DATE, description="The day it was accepted.")]
    until: Annotated[
        str,
        Field(pattern=DATE, description="The last day it holds, at most a year after `on`."),
    ]
    up_to: Annotated[
        float | None,
        Field(
            ge=0,
            description="The largest drop in pp, or increase of a metric (percent; pp for a rate), "
            "that it covers.",
        ),
    ] = None
    at_least: Annotated[
        float | None,
        Field(ge=0, le=1, description="The smallest pass rate of a floor that it covers, a share."),
    ] = None
    cases: Annotated[
        list[str] | None,
        Field(min_length=1, description="The cases that may break the invariant; no others."),
    ] = None
    text: Annotated[
        str | None,
        Field(min_length=1, description="What the gate said of itself, word by word."),
    ] = None


class WaiversFile(Part):
    """Accepted parts. Commit it, and have every change of it reviewed (docs/waivers.md)."""

    waivers: Annotated[list[WaiverEntry], Field(description="One entry for each accepted part.")]


def cover_of(part: str) -> Cover | None:
    """Which key says how far a waiver of that part reaches; None for a name that no part has."""
    if part in _BY_NAME:
        return _BY_NAME[part]
    kind, colon, name = part.partition(":")
    if kind == "slice":
        tag, _, asked = name.rpartition(" ")
        return _BY_NAME.get(asked) if tag and asked in ("drop", "floor") else None
    return _BY_KIND.get(kind) if colon and name else None


def parts_of(suite: Suite) -> Iterable[str]:
    """The names of the parts that the gate of a suite may have, required ones only.

    `gate change` and `headroom` are what the gate says of itself.
    """
    gate = suite.gate
    if gate.max_drop_pp is not None:
        yield "drop"
    if gate.anchor is not None:
        yield "anchor drop"
    if gate.min_pass_rate is not None:
        yield "floor"
    for tag, rules in gate.slices.items():
        if not rules.required:
            continue
        if rules.max_drop_pp is not None or (
            rules.min_pass_rate is None and gate.max_drop_pp is not None
        ):
            yield f"slice:{tag} drop"
        if rules.min_pass_rate is not None:
            yield f"slice:{tag} floor"
    yield from (f"metric:{name}" for name, limits in gate.metrics.items() if limits.required)
    yield from (f"invariant:{name}" for name in gate.invariants)
    yield from ("gate change", "headroom")
