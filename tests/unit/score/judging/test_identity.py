"""Who judges and how: whatever shapes a judgment makes another judge of it."""

from typing import Any

import pytest

from evalkit.score.judging.identity import judge_digest
from tests.unit.score.judging.judge_sessions import rubric

ASKED = {"judge": {"models": [["m-1", "openai https://llm.example"]], "settings": {"cap": 50}}}


def test_the_same_judge_has_one_digest_whatever_the_order_of_keys() -> None:
    turned = {"judge": dict(reversed(ASKED["judge"].items()))}
    digest = judge_digest(rubric(), ASKED)
    assert digest.startswith("sha256:")
    assert digest == judge_digest(rubric(), turned)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"judge": ASKED["judge"] | {"models": [["m-2", "openai https://llm.example"]]}},
        {"judge": ASKED["judge"] | {"models": [["m-1", "openai https://other.example"]]}},
        {"judge": ASKED["judge"] | {"settings": {"cap": 51}}},
        {"second": ASKED["judge"]},
        ASKED | {"second": ASKED["judge"]},
    ],
)
def test_another_model_place_or_setting_is_another_judge(asked: dict[str, Any]) -> None:
    assert judge_digest(rubric(), asked) != judge_digest(rubric(), ASKED)


def test_another_rubric_is_another_judge_and_what_shapes_no_judgment_is_none() -> None:
    digest = judge_digest(rubric(), ASKED)
    assert judge_digest(rubric(digest="sha256:1"), ASKED) != digest
    assert judge_digest(rubric(owner="ana", description="About tone."), ASKED) == digest
