"""What changed in the assets between the two sides: prompt, model, policy, schemas, tools."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalkit.records.comparison import SuiteComparison
from evalkit.records.run import StoredRun, SuiteRecord, VariantRecord
from evalkit.report.figures import count
from evalkit.report.html.element import Child, Markup, element
from evalkit.report.html.text_diff import text_diff
from evalkit.report.untrusted import clip

_VERSION = re.compile(r"(?<=/)v\d+(?=[./])")
_KINDS = (
    ("prompts/", "prompt"),
    ("routes.", "route and policies"),
    ("models.", "model"),
    ("providers.", "provider"),
    ("schemas/", "schema"),
    ("tools/", "tool"),
    ("rubrics/", "rubric"),
    ("goldensets/", "golden set"),
)


@dataclass(frozen=True, slots=True)
class AssetChange:
    """One asset on both sides: its name there (None: not there) and its digest."""

    before: str | None
    after: str | None
    digest_before: str | None = None
    digest_after: str | None = None

    @property
    def changed(self) -> bool:
        """Whether the sides differ in content."""
        return self.digest_before != self.digest_after

    @property
    def title(self) -> str:
        """'prompt prompts/a/v1.yaml → v2.yaml'."""
        name = self.after or self.before or ""
        kind = next((word for start, word in _KINDS if name.startswith(start)), "asset")
        if self.before is None:
            return f"{kind} {name}, new"
        if self.after is None:
            return f"{kind} {name}, gone"
        if self.before == self.after:
            return f"{kind} {name}"
        return f"{kind} {self.before} → {self.after}"


def pair_assets(before: Mapping[str, str], after: Mapping[str, str]) -> list[AssetChange]:
    """The assets of both sides by name; versions of one asset (`v1.yaml`, `v2.yaml`) are a pair."""
    pairs = [AssetChange(n, n, before[n], digest) for n, digest in after.items() if n in before]
    gone = {_stem(name): name for name in before if name not in after}
    for name, digest in after.items():
        if name not in before:
            old = gone.pop(_stem(name), None)
            pairs.append(AssetChange(old, name, None if old is None else before[old], digest))
    pairs += [AssetChange(name, None, before[name], None) for name in gone.values()]
    return pairs


def _stem(name: str) -> str:
    return _VERSION.sub("v*", name)


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
