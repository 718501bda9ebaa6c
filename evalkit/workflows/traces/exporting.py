"""Opening the way to a collector as the configuration names it, and handing it a run's attempts."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote

from evalkit._version import __version__
from evalkit.config.telemetry import Otlp, Telemetry
from evalkit.control.telemetry import attributes as names
from evalkit.ports import Journal
from evalkit.records.attempt import Attempt
from evalkit.records.span import trace_id_of

if TYPE_CHECKING:
    from evalkit.control.telemetry.otlp import OtlpExporter


def open_exporter(
    telemetry: Telemetry, *, note: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> "OtlpExporter | None":
    """What sends spans to `telemetry.otlp`; None without one, and where its headers are not set.

    Raises Refused where the extra `otel` is not installed.
    """
    otlp = telemetry.otlp
    if otlp is None:
        return None
    headers = _headers(otlp, environ)
    if headers is None:
        note(
            f"no traces are sent to {otlp.traces_url}: ${otlp.headers_env}, which holds its "
            "headers, is not set or not of the form name=value,name=value"
        )
        return None
    from evalkit.control.telemetry.otlp import OtlpExporter

    return OtlpExporter(
        otlp.traces_url,
        headers=headers,
        timeout_s=otlp.timeout_s,
        service=otlp.service,
        version=__version__,
    )


@contextmanager
def exporting(
    telemetry: Telemetry, *, note: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> "Iterator[OtlpExporter | None]":
    """As `open_exporter`; at the end what is left is sent, and what did not arrive is told."""
    exporter = open_exporter(telemetry, note=note, environ=environ)
    try:
        yield exporter
    finally:
        if exporter is not None and (warning := exporter.close().warning) is not None:
            note(warning)


def _headers(otlp: Otlp, environ: Mapping[str, str]) -> dict[str, str] | None:
    """As OTEL_EXPORTER_OTLP_HEADERS is written; None where they cannot be had."""
    if otlp.headers_env is None:
        return {}
    found: dict[str, str] = {}
    for pair in environ.get(otlp.headers_env, "").split(","):
        name, equals, value = pair.partition("=")
        if pair.strip() and not (name.strip() and equals and value.strip()):
            return None
        if pair.strip():
            found[name.strip().lower()] = unquote(value.strip())
    return found or None


class TracedJournal:
    """Implements ports.Journal: what is written goes to a collector as well, without a wait."""

    def __init__(self, journal: Journal, exporter: "OtlpExporter", run: str) -> None:
        """`run` is the run's id, from which the ids of its traces follow."""
        self._journal = journal
        self._exporter = exporter
        self._run = run

    def append(self, attempt: Attempt) -> None:
        """Write an attempt, and hand its spans over."""
        self._journal.append(attempt)
        self._exporter.take(
            trace_id_of(self._run, *attempt.place),
            attempt.spans,
            attempt.decisions,
            {names.RUN: self._run, names.TRIAL: attempt.trial},
        )
