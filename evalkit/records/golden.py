"""What is told of golden sets: a case that was added, and what a set holds."""

from typing import Literal

import msgspec

from evalkit.records.case import Case


class AddedCase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case that was put into a golden set, or would be (`written` is False).

    `golden` is the version (`name@vN`) and `path` its file of cases; `new_version` tells that the
    case began it. `lines` are the change as a diff, `review` what is left to a person, `pinned` the
    suites that go on using another version. Schema history: `evalkit.golden_add/1` is the first.
    """

    golden: str
    path: str
    new_version: bool
    case: Case
    lines: tuple[str, ...]
    review: tuple[str, ...]
    pinned: tuple[str, ...]
    written: bool
    schema: Literal["evalkit.golden_add/1"] = "evalkit.golden_add/1"
