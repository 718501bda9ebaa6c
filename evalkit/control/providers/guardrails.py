"""What vendors' own guardrails found, in their replies and errors.

Vendors tell also what they looked for and did not find; that is left out. What was found and let
through is `flagged`. Texts that a guardrail matched are never taken over: they are what it is there
to keep back.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from evalkit.records.call import Guardrail

Side = Literal["request", "reply"]
_LOWEST = frozenset({"safe", "NEGLIGIBLE", "HARM_SEVERITY_NEGLIGIBLE"})
_SEVERITIES = ("safe", "low", "medium", "high")
_ACTIONS: Mapping[str, Literal["blocked", "changed"]] = {
    "BLOCKED": "blocked",
    "ANONYMIZED": "changed",
}
# Bedrock's policies, the lists of what each found, and the field that says what it is.
_ASSESSED = (
    ("topicPolicy", "topics", "name"),
    ("contentPolicy", "filters", "type"),
    ("wordPolicy", "managedWordLists", "type"),
    ("wordPolicy", "customWords", None),
    ("sensitiveInformationPolicy", "piiEntities", "type"),
    ("sensitiveInformationPolicy", "regexes", "name"),
    ("contextualGroundingPolicy", "filters", "type"),
)


def with_block(
    found: Iterable[Guardrail], name: str, *, where: Side = "reply", message: str = ""
) -> tuple[Guardrail, ...]:
    """What was found, for a reply that was held back: with a block of this name where the vendor
    does not say which of its guardrails did it."""
    known = tuple(dict.fromkeys(found))
    if any(each.action != "flagged" and each.where == where for each in known):
        return known
    return (*known, Guardrail(name=name, action="blocked", where=where, message=message))


def azure_filters(results: Any, where: Side) -> Iterator[Guardrail]:
    """Azure's `content_filter_results`: by category, whether it was filtered, detected, how bad.

    `{"hate": {"filtered": false, "severity": "low"}, "jailbreak": {"detected": true, …}}`
    """
    if not isinstance(results, dict):
        return
    for name, result in results.items():
        if not isinstance(result, dict):
            continue
        severity = result.get("severity")
        is_found = result.get("detected") is True or severity not in (None, *_LOWEST)
        if result.get("filtered") is True or is_found:
            yield Guardrail(
                name=str(name),
                action="blocked" if result.get("filtered") is True else "flagged",
                where=where,
                message=f"severity {severity}" if isinstance(severity, str) else "",
            )


def merge_filters(merged: dict[str, Any], results: Any) -> None:
    """Put the filter results of one more piece of a stream into `merged`: by category the worst."""
    for name, result in results.items() if isinstance(results, dict) else ():
        if _badness(result) >= _badness(merged.get(name)):
            merged[name] = result


def _badness(result: Any) -> tuple[bool, bool, int]:
    if not isinstance(result, dict):
        return False, False, -1
    severity = result.get("severity")
    known = _SEVERITIES.index(severity) if severity in _SEVERITIES else 0
    return result.get("filtered") is True, result.get("detected") is True, known


def azure_prompt_filters(results: Any) -> Iterator[Guardrail]:
    """Azure's `prompt_filter_results`, one entry a prompt."""
    for each in results if isinstance(results, list) else ():
        if isinstance(each, dict):
            yield from azure_filters(each.get("content_filter_results"), "request")


def google_ratings(ratings: Any, where: Side) -> Iterator[Guardrail]:
    """Google's `safetyRatings`: `{"category": …, "probability": …, "blocked": true}`."""
    for rating in ratings if isinstance(ratings, list) else ():
        if not isinstance(rating, dict) or not isinstance(rating.get("category"), str):
            continue
        probability, is_blocked = rating.get("probability"), rating.get("blocked") is True
        if is_blocked or probability in ("LOW", "MEDIUM", "HIGH"):
            yield Guardrail(
                name=rating["category"],
                action="blocked" if is_blocked else "flagged",
                where=where,
                message=f"probability {probability}" if isinstance(probability, str) else "",
            )


def bedrock_findings(trace: Any) -> Iterator[Guardrail]:
    """Bedrock's `trace.guardrail`: assessments of the input, and lists of them of the output."""
    given = trace.get("guardrail") if isinstance(trace, dict) else None
    if not isinstance(given, dict):
        return
    read = given.get("inputAssessment")
    for assessment in read.values() if isinstance(read, dict) else ():
        yield from _assessed(assessment, "request")
    said = given.get("outputAssessments")
    for assessments in said.values() if isinstance(said, dict) else ():
        for assessment in assessments if isinstance(assessments, list) else ():
            yield from _assessed(assessment, "reply")


def _assessed(assessment: Any, where: Side) -> Iterator[Guardrail]:
    for policy, items, name in _ASSESSED:
        given = assessment.get(policy) if isinstance(assessment, dict) else None
        listed = given.get(items) if isinstance(given, dict) else None
        for item in listed if isinstance(listed, list) else ():
            if not isinstance(item, dict):
                continue
            word, action = item.get(name) if name else None, _ACTIONS.get(str(item.get("action")))
            if action is not None or item.get("detected") is True:
                yield Guardrail(
                    name=f"{policy}.{word}" if isinstance(word, str) else policy,
                    action=action or "flagged",
                    where=where,
                )
