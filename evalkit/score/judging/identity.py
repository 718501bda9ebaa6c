"""Who judges and how: the digest that a calibration is bound to."""

from collections.abc import Mapping
from typing import Any

from evalkit.records.asset import Rubric
from evalkit.records.digest import digest_of
from evalkit.score.judging.frame import FRAME_VERSION


def judge_digest(rubric: Rubric, asked: Mapping[str, Any]) -> str:
    """The digest of a judge: its rubric, the frame that evalkit puts around it, and who is asked.

    `asked` is whatever else shapes its replies, as JSON: models, where they are, and the settings
    of each route; for recorded verdicts who gave them.
    """
    return digest_of({"rubric": rubric.digest, "frame": FRAME_VERSION, "asked": dict(asked)})
