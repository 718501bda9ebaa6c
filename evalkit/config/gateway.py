"""`gateway`: what `evalkit serve` allows its clients, and how it stops."""

from typing import Annotated, Literal

from pydantic import Field

from evalkit.config.base import Part

MIB = 1024 * 1024


class GatewayRules(Part):
    """Limits of one gateway process. Every one of them has a default that holds."""

    max_body_bytes: Annotated[
        int, Field(ge=1024, le=1024 * MIB, description="The longest body of a request: 413.")
    ] = 16 * MIB
    max_header_bytes: Annotated[
        int,
        Field(ge=1024, le=16 * MIB, description="All headers and the address of a request: 431."),
    ] = 64 * 1024
    max_headers: Annotated[
        int, Field(ge=10, le=10_000, description="How many headers a request may have: 431.")
    ] = 100
    header_timeout_s: Annotated[
        float,
        Field(
            gt=0,
            le=3600,
            description="How long a client has for the head of a request: closed.",
        ),
    ] = 10.0
    body_timeout_s: Annotated[
        float, Field(gt=0, le=3600, description="How long it has to send the body: 408.")
    ] = 30.0
    request_timeout_s: Annotated[
        float,
        Field(
            gt=0,
            le=86_400,
            description="How long a request may take in all: 504, and a stream is broken off.",
        ),
    ] = 600.0
    keep_alive_s: Annotated[
        float,
        Field(gt=0, le=3600, description="How long a connection may be idle between requests."),
    ] = 15.0
    max_connections: Annotated[
        int, Field(ge=1, le=1_000_000, description="Connections at one time: 503, with a retry.")
    ] = 2048
    max_in_flight: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            description="Requests at one time: 503, with a retry. /healthz, /readyz and /metrics "
            "do not count.",
        ),
    ] = 1024
    drain_s: Annotated[
        float,
        Field(
            ge=0,
            le=3600,
            description="How long requests under way may still take once the gateway was told to "
            "stop.",
        ),
    ] = 30.0
    access_log: Annotated[
        Literal["none", "stderr"],
        Field(
            description="A line of JSON for each request: id, key's id, route, status, times. No "
            "content, no secret."
        ),
    ] = "none"
