"""The assets of two sides, paired by name: which of them differ."""

import re
from collections.abc import Mapping

import msgspec

from evalkit.records.run import SuiteRecord

_VERSION = re.compile(r"(?<=/)v\d+(?=[./])")
_KINDS = (
    ("prompts/", "prompt"),
    ("agents/", "agent"),
    ("target.", "settings of the target"),
    ("routes.", "route and policies"),
    ("models.", "model"),
    ("providers.", "provider"),
    ("schemas/", "schema"),
    ("tools/", "tool"),
    ("rubrics/", "rubric"),
    ("goldensets/", "golden set"),
)


class AssetChange(msgspec.Struct, frozen=True):
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


def changed_assets(suite: SuiteRecord) -> list[AssetChange]:
    """What differs between a suite's baseline and its candidate; none without a baseline."""
    baseline, candidate = suite.variant("baseline"), suite.variant("candidate")
    if baseline is None or candidate is None:
        return []
    pairs = pair_assets(baseline.digests, candidate.digests)
    return [pair for pair in pairs if pair.changed]
