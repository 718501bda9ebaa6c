"""What a judge said about one output: its verdict, and each of its calls, as rows of plain text.

Reasons and evidence are a model's words: they are made safe to show, and quoted.
"""

from collections.abc import Iterator

from evalkit.records.judgment import JudgeCall, Judgment, JudgmentState, Opinion
from evalkit.report.figures import seconds, usd
from evalkit.report.untrusted import clip, one_line

Row = tuple[str, str]

_MOST_WORDS = 1_000
_STATES: dict[JudgmentState, str] = {
    "judged": "judged",
    "abstained": "no verdict, it cannot tell",
    "unparseable": "no verdict, its reply cannot be read",
    "refused": "no verdict, it refused",
    "error": "not judged, for an error",
}
_ORIGINS = {
    None: "",
    "live": "asked",
    "cache": "from the cache",
    "recording": "recorded",
    "scripted": "scripted, written by hand",
}
_ORDERS = {"first": "this output first", "second": "the other output first"}
_SIDES = {True: "yes", False: "no", None: "cannot tell"}


def judgment_rows(judgment: Judgment) -> list[Row]:
    """(label, words): the verdict and whether it was shared, then what each call said and took."""
    opinion = judgment.opinion
    rows = [("judge", judgment_words(judgment))]
    for number, call in enumerate(opinion.calls, start=1):
        label = f"call {number}" if len(opinion.calls) > 1 else ""
        for words in call_lines(call, alone=len(opinion.calls) == 1):
            rows.append((label, words))
            label = ""
    return rows


def judgment_lines(judgment: Judgment) -> list[tuple[str, bool]]:
    """(line, whether the judge said it) beside a verdict that is shown already."""
    opinion = judgment.opinion
    several = len(opinion.calls) > 1
    known = []
    if several or judgment.shared:
        known.append((judgment_words(judgment), False))
    for number, call in enumerate(opinion.calls, start=1):
        asked, *said = call_lines(call, alone=not several)
        known.append((f"call {number}: {asked}" if several else asked, False))
        known += [(words, True) for words in said]
    return known


def judgment_words(judgment: Judgment) -> str:
    """'tone (tone@v1): fail; shared with an equal output'."""
    named = judgment.scorer
    if judgment.rubric.partition("@")[0] != named:
        named += f" ({judgment.rubric})"
    else:
        named = judgment.rubric
    opinion = judgment.opinion
    shared = "; taken over from an equal output, nothing was asked" if judgment.shared else ""
    return one_line(f"{named}: {verdict_words(opinion)}{shared}")


def verdict_words(opinion: Opinion) -> str:
    """'pass', 'fail, score 2', 'no verdict, it cannot tell'; says where calls differ."""
    words = _verdict(opinion.state, opinion.passed, opinion.score, pair=_is_pair(opinion))
    if opinion.split:
        words += "; its verdicts differ"
    return words


def call_lines(call: JudgeCall, *, alone: bool = False) -> Iterator[str]:
    """Who was asked and what it said, why, on what evidence, and what that took; a line each.

    `alone` leaves out the verdict, which is the opinion's.
    """
    said = (
        "" if alone else f": {_verdict(call.state, call.passed, call.score, pair=bool(call.order))}"
    )
    order = f", {_ORDERS[call.order]}" if call.order else ""
    yield one_line(f"{_asked(call)}{order}{said}{_took(call)}")
    if call.reason:
        yield f"reason: {clip(one_line(call.reason), _MOST_WORDS)}"
    if call.evidence:
        where = {
            True: " (word for word in the output)",
            False: " (NOT in the output)",
            None: "",
        }[call.quoted]
        yield f"evidence{where}: “{clip(one_line(call.evidence), _MOST_WORDS)}”"
    if call.answers:
        answers = ", ".join(f"{name} {_SIDES[given]}" for name, given in call.answers.items())
        yield f"answers: {clip(one_line(answers), _MOST_WORDS)}"
    if call.error:
        code = f" ({call.failure_mode})" if call.failure_mode else ""
        yield f"error{code}: {clip(one_line(call.error), _MOST_WORDS)}"


def _is_pair(opinion: Opinion) -> bool:
    return any(call.order is not None for call in opinion.calls)


def _verdict(state: JudgmentState, passed: bool | None, score: float | None, *, pair: bool) -> str:
    if state != "judged":
        return _STATES[state]
    if pair:
        return {True: "better", False: "worse", None: "neither is better"}[passed]
    words = {True: "pass", False: "fail", None: ""}[passed]
    if score is None:
        return words or "judged"
    return f"{words}, score {score:g}" if words else f"score {score:g}"


def _asked(call: JudgeCall) -> str:
    model = call.model
    if call.model_id and call.model_id != call.model:
        model += f" ({call.model_id})"
    names = ", ".join(dict.fromkeys(each for each in (call.route, model) if each))
    origin = _ORIGINS[call.origin]
    return f"{names}, {origin}" if origin else names


def _took(call: JudgeCall) -> str:
    if not call.usage.total:
        return ""
    price = f"{usd(call.cost_usd)}{' list price' if call.cost_usd else ''}"
    live = f", {seconds(call.latency_s)}" if call.origin == "live" and call.latency_s else ""
    return (
        f"; {call.usage.input_tokens:,} tokens in, {call.usage.output_tokens:,} out; "
        f"{price}, {usd(call.billed_usd)} billed{live}"
    )
