"""Rows of an audit about where outputs come from: the judge's own model, and one arm or another."""

from collections import Counter
from collections.abc import Callable

from evalkit.judge.bias import self_preference
from evalkit.judge.differential import MINIMUM_LABELS, ArmRates, equal_errors
from evalkit.judge.items import JudgedItem
from evalkit.records.audit import AuditRow
from evalkit.records.label import LabelledItem
from evalkit.report.figures import percent, points
from evalkit.workflows.judges.audit_parts import Asked, finding, too_few, unmeasured

_ARMS = ("baseline", "candidate")


def preference_row(asked: Asked) -> AuditRow:
    """Whether the judge is kinder to outputs that its own model wrote."""
    name, tried = "self-preference", "its own model's outputs against others'"
    items = [item for item in _judged(asked, _maker) if item.arm is not None]
    preference = self_preference(items, {each.casefold() for each in asked.own})
    if preference is None:
        why = "The judged outputs do not tell who wrote them (`source.model` in the labels)."
        if items:
            why = "The labelled outputs that it judged have to come from its own model and others."
        return unmeasured("self_preference", name, tried, why)
    own, others = preference.own, preference.others
    detail = (
        f"It passes {percent(own.value)} of its own model's {own.n:.0f} outputs and "
        f"{percent(others.value)} of the {others.n:.0f} others."
    )
    if preference.kinder is None or preference.youden is None:
        why = "One side has no labels of a kind, so favour cannot be told from better outputs."
        return unmeasured("self_preference", name, tried, why, detail=detail)
    least = int(min(own.n, others.n))
    return AuditRow(
        check="self_preference",
        name=name,
        tried=tried,
        n=int(own.n + others.n),
        share=preference.kinder,
        p=preference.p,
        finding=finding(preference.favours_own, least),
        detail=f"{detail} J on its own minus J on others: "
        f"{points(preference.youden, signed=True)}.",
        todo="Let another model judge this one's outputs, or a panel in which it is a minority."
        if preference.favours_own
        else too_few(least),
    )


def differential_row(asked: Asked) -> AuditRow:
    """Whether the judge errs alike on outputs of two arms, or of the two commonest sources."""
    name = "equal errors"
    arms = _two_arms(asked)
    if arms is None:
        why = "The judged outputs come from one source, or do not tell theirs."
        return unmeasured("differential", name, "errors compared by source", why)
    (one, first), (two, second) = arms
    tried = f"errors on outputs of {one} and {two}"
    found = equal_errors(first, second)
    p = min(1.0, 2 * min(found.tpr_p, found.tnr_p))
    detail = f"{one}: {_rates_words(found.baseline)}; {two}: {_rates_words(found.candidate)}."
    n = sum(item.verdict is not None for item in (*first, *second))
    if found.verified is None:
        why = f"Nothing shows yet; telling takes {MINIMUM_LABELS} labels of each, of both kinds."
        return unmeasured("differential", name, tried, why, n=n, p=p, detail=detail)
    return AuditRow(
        check="differential",
        name=name,
        tried=tried,
        n=n,
        p=p,
        finding="ok" if found.verified else "weak",
        detail=detail,
        todo=""
        if found.verified
        else "One correction for both would be wrong: label outputs of both "
        f"(evalkit judge label {asked.rubric.ref} --run latest).",
    )


def _two_arms(
    asked: Asked,
) -> tuple[tuple[str, list[JudgedItem]], tuple[str, list[JudgedItem]]] | None:
    """Baseline and candidate where labels are of both, else the two commonest makers."""
    for arm_of, names in ((_variant, _ARMS), (_maker, None)):
        by_arm: dict[str, list[JudgedItem]] = {}
        for item in _judged(asked, arm_of):
            if item.arm is not None:
                by_arm.setdefault(item.arm, []).append(item)
        sizes = Counter({arm: len(items) for arm, items in by_arm.items()})
        # of equally common ones the first by name, so that the same labels give the same row
        common = sorted(sizes, key=lambda arm: (-sizes[arm], arm))
        chosen = [arm for arm in (names or common) if arm in by_arm][:2]
        if len(chosen) == 2:
            one, two = chosen
            return (one, by_arm[one]), (two, by_arm[two])
    return None


def _judged(asked: Asked, arm_of: Callable[[LabelledItem], str | None]) -> list[JudgedItem]:
    """The labelled outputs that the judge was asked about, with their arms."""
    return [
        JudgedItem(
            truth=item.truth,
            verdict=asked.verdicts[item.id],
            weight=item.weight,
            part=item.part,
            arm=arm_of(item),
        )
        for item in asked.items
        if item.truth is not None and item.id in asked.verdicts
    ]


def _maker(item: LabelledItem) -> str | None:
    """The model or the author of an output."""
    for key in ("model", "author"):
        name = item.source.get(key)
        if isinstance(name, str) and name:
            return name.casefold()
    return None


def _variant(item: LabelledItem) -> str | None:
    arm = item.source.get("variant")
    return arm if isinstance(arm, str) else None


def _rates_words(rates: ArmRates) -> str:
    return (
        f"right about {rates.passes_passed} of {rates.passes} passes and {rates.fails_failed} of "
        f"{rates.fails} fails"
    )
