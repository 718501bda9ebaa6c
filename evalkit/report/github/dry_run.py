"""What publishing would send, as JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec


def dry_run_json(
    requests: Sequence[dict[str, Any]], commands: Sequence[str], summary: str | None
) -> str:
    """The requests in order, the lines for the job's log, the job's summary.

    It is printed into that log, so nothing in it is a command there: it has no line that begins
    with `::`, and `##[` is written as an escape.
    """
    content = {"requests": requests, "commands": commands, "summary": summary}
    text = msgspec.json.format(msgspec.json.encode(content), indent=2).decode()
    return text.replace("##[", "#\\u0023[")
