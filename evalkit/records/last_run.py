"""How the last `evalkit run` ended: `.evalkit/last.json`, which `evalkit publish` reads.

A run that was refused leaves no bundle, and its check still has to be reported.
Schema history: `evalkit.last/1` is the first.
"""

from typing import Literal

import msgspec

# not_measured: replies that are written down cannot measure what changed, and no key is at hand
LastKind = Literal[
    "run", "not_measured", "config", "usage", "refused", "store", "bug", "interrupted"
]


class LastRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One command's end.

    `run` is the id of the bundle, None where nothing was run. `message` is what was printed for an
    error, `problems` its lines, `settle` what to do about it. `sha` is the commit of the tree.
    """

    at: str
    command: tuple[str, ...]
    exit_code: int
    kind: LastKind
    run: str | None = None
    message: str = ""
    problems: tuple[str, ...] = ()
    settle: str | None = None
    sha: str | None = None
    schema: Literal["evalkit.last/1"] = "evalkit.last/1"
