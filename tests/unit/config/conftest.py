"""A configuration that is in order, and one way to break it."""

from collections.abc import Callable

import pytest

from evalkit.config.load import load_config
from evalkit.errors import ConfigError, Problem

GOOD = """\
version: 1
providers:
  hosted: {kind: openai, api_key_env: HOSTED_KEY, without_key: written}
  written: {kind: scripted, path: "scripted/{suite}.jsonl"}
models:
  big: {provider: hosted, price: {input_usd_per_mtok: 2, output_usd_per_mtok: 8}}
  small-1.5: {provider: hosted, price: {input_usd_per_mtok: 1, output_usd_per_mtok: 4}}
routes:
- name: triage
  models: {primary: big, fallback: small-1.5}
- name: review
  models:
    primary: big
    fallback: [small-1.5]
suites:
  triage:
    golden: triage@v1
    route: triage
    target: {prompt: triage@v1}
    scorers:
      - {exact: {fields: [intent]}}
    gate: {max_drop_pp: 3}
  review:
    golden: review@latest
    route: review
    target: {prompt: review@v2}
    scorers: [{citations: {}}]
"""

Broken = Callable[..., list[Problem]]


@pytest.fixture
def good() -> str:
    """The text of a configuration without an error or warning."""
    return GOOD


@pytest.fixture
def broken() -> Broken:
    """The problems of that configuration after some of its text is replaced."""

    def problems(*replaced: tuple[str, str]) -> list[Problem]:
        text = GOOD
        for old, new in replaced:
            assert text.count(old) >= 1, old
            text = text.replace(old, new, 1)
        with pytest.raises(ConfigError) as raised:
            load_config(text.encode())
        return list(raised.value.problems)

    return problems
