"""What an arm's results depend on, as one digest: runs that share it measure the same thing."""

from collections.abc import Mapping

from evalkit.records.attempt import VariantName
from evalkit.records.digest import digest_of
from evalkit.workflows.setup.variants import SuiteSetup


def content_digest(
    golden_digest: str, scorers_digest: str, assets: Mapping[str, str], fallback: str
) -> str:
    """The digest of golden set, scorers, every asset of the target, and what a fallback counts."""
    return digest_of([golden_digest, scorers_digest, dict(assets), fallback])


def arm_contents(setup: SuiteSetup) -> dict[VariantName, str]:
    """The content of every arm of a suite, measured or stored."""
    contents: dict[VariantName, str] = {
        variant.name: _content(setup, variant.assets.digests) for variant in setup.variants
    }
    for name, run in setup.replayed.items():
        record = next(each for each in run.record.suites if each.suite == setup.name)
        candidate = record.variant("candidate")
        assert candidate is not None, "a complete run has a candidate"
        contents[name] = _content(setup, candidate.digests)
    return contents


def _content(setup: SuiteSetup, assets: Mapping[str, str]) -> str:
    suite = setup.assets
    return content_digest(suite.golden.digest, suite.scorers_digest, assets, suite.suite.fallback)
