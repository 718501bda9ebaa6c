"""What changed in the assets between the two sides: prompt, model, policy, schemas, tools."""

from collections.abc import Iterable, Mapping, Sequence

from evalkit.records.comparison import SuiteComparison
from evalkit.records.run import StoredRun, SuiteRecord, VariantRecord
from evalkit.report.asset_changes import AssetChange, pair_assets
from evalkit.report.figures import count
from evalkit.report.html.element import Child, Markup, element
from evalkit.report.html.text_diff import text_diff
from evalkit.report.untrusted import clip


def asset_changes(run: StoredRun, suite: SuiteComparison) -> Markup:
    """The assets of one suite: those that differ with their diff, the rest by name."""
    record = next((each for each in run.record.suites if each.suite == suite.suite), None)
    candidate = None if record is None else record.variant("candidate")
    baseline = None if record is None else record.variant("baseline")
    if record is None or candidate is None:
        return element("p", "The run does not say what it was made of.", class_="about")
    if baseline is None:
        pairs = [AssetChange(name, name, d, d) for name, d in candidate.digests.items()]
    else:
        pairs = pair_assets(baseline.digests, candidate.digests)
    snapshot = run.snapshot(suite.suite)
    texts: Mapping[str, Mapping[str, str]] = {} if snapshot is None else snapshot.texts
    changed = [pair for pair in pairs if pair.changed]
    same = [pair for pair in pairs if not pair.changed]
    return element(
        "div",
        element("p", _summary(baseline, changed, pairs), class_="about"),
        (_change(pair, texts) for pair in changed),
        _same(same),
        _models(baseline, candidate),
        _golden(record),
        class_="assets",
    )


def _summary(
    baseline: VariantRecord | None, changed: Sequence[AssetChange], pairs: Sequence[AssetChange]
) -> str:
    if baseline is None:
        return "Nothing to compare with: the suite has no baseline."
    if not pairs:
        return "The run does not say what its sides were made of."
    if not changed:
        return "Both sides are made of the same assets."
    return f"{len(changed)} of {count(len(pairs), 'asset')} differ between baseline and candidate."


def _change(pair: AssetChange, texts: Mapping[str, Mapping[str, str]]) -> Markup:
    old = texts.get("baseline", {}).get(pair.before or "")
    new = texts.get("candidate", {}).get(pair.after or "")
    known = (old is not None or pair.before is None) and (new is not None or pair.after is None)
    body = text_diff(old or "", new or "", label=pair.title) if known else _digests(pair)
    return element("details", element("summary", pair.title), body, open=True, class_="asset")


def _digests(pair: AssetChange) -> Markup:
    words = (
        f"The texts are not in this bundle. Digest before: {_short(pair.digest_before)}, after: "
        f"{_short(pair.digest_after)}."
    )
    return element("p", words, class_="about")


def _short(digest: str | None) -> str:
    return "none" if digest is None else clip(digest.removeprefix("sha256:"), 12).split(" ")[0]


def _same(pairs: Sequence[AssetChange]) -> Markup | None:
    if not pairs:
        return None
    title = f"{count(len(pairs), 'asset')} the same on both sides"
    rows: Iterable[Child] = (
        element("li", f"{pair.title} ", element("code", _short(pair.digest_after)))
        for pair in pairs
    )
    return element("details", element("summary", title), element("ul", rows), class_="asset")


def _models(baseline: VariantRecord | None, candidate: VariantRecord) -> Markup:
    new = _model_words(candidate)
    old = new if baseline is None else _model_words(baseline)
    if old == new:
        return element("p", element("b", "Models: "), new, class_="about")
    text = [element("b", "Models: "), element("del", old), " ", element("ins", new)]
    return element("p", text, class_="about")


def _model_words(variant: VariantRecord) -> str:
    names = (
        name if name == called else f"{name} ({called})" for name, called in variant.models.items()
    )
    return ", ".join(names) or "none"


def _golden(record: SuiteRecord) -> Markup:
    words = (
        f"{record.golden}, digest {_short(record.golden_digest)}. Both sides answer the same cases "
        "under the same scorers and gate, those of the working tree; where they are weaker than at "
        "the base commit, that is listed at the top."
    )
    return element("p", element("b", "Golden set: "), words, class_="about")
