"""A model that answers by chance, the same chance in every test run."""

import random
from collections import Counter
from dataclasses import dataclass, field

from tests.servers.openai_server import SeenRequest


@dataclass
class NoisyModel:
    """Says "yes" with a probability by prompt version; every time it is asked it draws anew.

    `shaky` is the share of cases that are drawn at all: the others always pass. So the flips
    between two identical runs are `shaky * 2p(1-p)`.
    """

    passes: dict[str, float]
    shaky: float = 1.0
    asked: Counter[str] = field(default_factory=Counter)
    seed: int = 7

    def __call__(self, request: SeenRequest) -> str:
        """The answer to one request."""
        prompt = request.prompt.strip()
        self.asked[prompt] += 1
        version, _, question = prompt.partition(" ")
        if random.Random(f"{self.seed}:{question}").random() >= self.shaky:
            return "yes"
        chance = random.Random(f"{self.seed}:{prompt}:{self.asked[prompt]}").random()
        return "yes" if chance < self.passes[version] else "no"
