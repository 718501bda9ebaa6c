"""A run's record as JSON, as run.json holds it."""

import msgspec

from evalkit.records.run import RunRecord


def run_json(record: RunRecord) -> str:
    """The record as indented JSON (`evalkit.run/1`)."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode()
