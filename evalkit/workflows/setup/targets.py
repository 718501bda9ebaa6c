"""The object that plays the cases of a suite, by the kind of its target."""

from evalkit.execute.agent_target import AgentTarget
from evalkit.execute.prompt_target import PromptTarget
from evalkit.execute.target import Target
from evalkit.sources.assets import SuiteAssets


def build_target(assets: SuiteAssets) -> Target:
    """What the suite tests, ready to play cases. Raises ConfigError for a template."""
    route = assets.route.name
    if assets.agent is not None:
        return AgentTarget(assets.agent, route=route)
    assert assets.prompt is not None
    return PromptTarget(assets.prompt, route=route)
