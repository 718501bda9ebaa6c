"""What a judge's reply says: strict about the verdict, patient about what stands around it."""

from typing import Any

import msgspec

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.json_text import decode_json
from evalkit.records.judgment import JudgeCall, JudgmentState, Order
from evalkit.score.judging.frame import UNSURE
from evalkit.score.normalisation import normalise_text
from evalkit.score.wording import show

REASON_LENGTH = 600
_FENCE = "```"
_SPELLING = ("nfc", "casefold", "collapse_spaces", "strip")
_YES = {"yes": True, "no": False, UNSURE: None}


class UnreadableReply(ValueError):
    """The reply holds no verdict of the asked form. `expected` tells the form without the reply."""

    def __init__(self, expected: str, found: object) -> None:
        """`found` is quoted, clipped."""
        self.expected = f"expected {expected}"
        super().__init__(f"{self.expected}, found {show(found)}")


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a reply says about the output that was shown first (or the only one).

    `passed` is None for a tie, for a score that no threshold was held against yet, and for
    everything but judged.
    """

    state: JudgmentState
    passed: bool | None = None
    score: float | None = None
    reason: str = ""
    evidence: str = ""
    answers: dict[str, bool | None] = {}


def read_reply(rubric: Rubric, text: str) -> Said:
    """What a reply says. Raises UnreadableReply, whose message says what was expected.

    Reason and evidence may be missing. A verdict that is missing, doubled, or none of those asked
    for is none: a judge that does not keep to its form is not guessed at.
    """
    reply = _object(text)
    reason, evidence = _words(reply.get("reason")), _words(reply.get("evidence"))
    if rubric.scale.kind == "checklist":
        said = _checklist(rubric.scale, reply.get("answers"))
    elif rubric.scale.kind == "graded":
        said = _graded(rubric.scale, reply)
    elif rubric.compare == "pair":
        said = _verdict(reply, {"first": True, "second": False, "tie": None})
    else:
        said = _verdict(reply, {"pass": True, "fail": False})
    return msgspec.structs.replace(said, reason=reason, evidence=evidence)


def combine_checklist(scale: RubricScale, answers: dict[str, bool | None]) -> bool | None:
    """Whether a checklist holds by its rule; None where an open answer leaves that open."""
    yes = sum(answer is True for answer in answers.values())
    open_ = sum(answer is None for answer in answers.values())
    needed = {"all": len(scale.items), "any": 1}.get(scale.rule, scale.at_least or 1)
    if yes >= needed:
        return True
    return False if yes + open_ < needed else None


def is_quoted(evidence: str, output: Any) -> bool | None:
    """Whether the evidence occurs in the output, spelling of spaces and case aside; None for no
    evidence."""
    wanted = normalise_text(evidence, _SPELLING).strip("\"'“”„«»…. ")
    if not wanted:
        return None
    return any(wanted in normalise_text(text, _SPELLING) for text in _texts(output))


def swapped(said: Said, order: Order | None) -> Said:
    """The same about the subject's `output`, where that was shown second."""
    if order != "second" or said.passed is None:
        return said
    return msgspec.structs.replace(said, passed=not said.passed)


def stored_call(call: JudgeCall) -> JudgeCall:
    """The call with its texts clipped for the journal."""
    return msgspec.structs.replace(
        call, reason=call.reason[:REASON_LENGTH], evidence=call.evidence[:REASON_LENGTH]
    )


def _object(text: str) -> dict[str, Any]:
    try:
        value = decode_json(_unfenced(text))
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise UnreadableReply("one JSON object", text) from None
    if not isinstance(value, dict):
        raise UnreadableReply("a JSON object", value)
    return value


def _unfenced(text: str) -> str:
    """What a Markdown code fence around the whole reply holds; without one the reply itself."""
    first, _, rest = text.strip().partition("\n")
    inside, _, last = rest.rpartition("\n")
    opens = first.startswith(_FENCE) and first[len(_FENCE) :].strip().casefold() in ("", "json")
    return inside if opens and last.strip() == _FENCE else text


def _verdict(reply: dict[str, Any], meanings: dict[str, bool | None]) -> Said:
    found = reply.get("verdict")
    verdict = found.strip().casefold() if isinstance(found, str) else None
    if verdict == UNSURE:
        return Said(state="abstained")
    if verdict not in meanings:
        wanted = ", ".join((*meanings, UNSURE))
        raise UnreadableReply(f"a verdict ({wanted})", found)
    return Said(state="judged", passed=meanings[verdict])


def _graded(scale: RubricScale, reply: dict[str, Any]) -> Said:
    if "score" in reply and reply["score"] is None:
        return Said(state="abstained")
    score = reply.get("score")
    number = score if isinstance(score, int | float) and not isinstance(score, bool) else None
    # compared as it is: an integer of any length is on no scale, and no float either
    if number is not None and scale.lowest <= number <= scale.highest:
        return Said(state="judged", score=float(number))
    raise UnreadableReply(f"a score from {scale.lowest:g} to {scale.highest:g}", score)


def _checklist(scale: RubricScale, found: Any) -> Said:
    if not isinstance(found, dict) or set(found) != set(scale.items):
        raise UnreadableReply(f"answers to {', '.join(scale.items)}", found)
    answers: dict[str, bool | None] = {}
    for name in scale.items:
        answer = found[name]
        word = {True: "yes", False: "no"}.get(answer) if isinstance(answer, bool) else answer
        if not isinstance(word, str) or word.strip().casefold() not in _YES:
            raise UnreadableReply(f"yes, no or {UNSURE} to {name}", answer)
        answers[name] = _YES[word.strip().casefold()]
    passed = combine_checklist(scale, answers)
    return Said(state="abstained" if passed is None else "judged", passed=passed, answers=answers)


def _words(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _texts(each)]
    return [] if value is None else [str(value)]
