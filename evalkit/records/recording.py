"""Recordings: a real model's replies, kept in the repository so that a run needs no model.

`recordings/<model>/<suite>.jsonl`, one `Recording` a line, found again by the key of its request.
"""

import msgspec

from evalkit.records.call import Reply


class Recording(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """One recorded reply. `case`, `prompt` and `trial` are for people; `key` is what is matched."""

    key: str
    reply: Reply
    case: str = ""
    prompt: str = ""
    trial: int = 1
