"""A judged project whose judge is a model behind a server, and what such a judge may say."""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cli.judged import JudgedProject
from tests.servers.openai_server import OpenAIServer, SeenRequest

_SHOWN = re.compile(r"<<<REPLY (\w+)\n(.*?)\n\1 REPLY>>>", re.DOTALL)
_KIND = re.compile(r"Number (\d+) of v(\d): (please)?")


@dataclass
class ServedJudge(JudgedProject):
    """The judge is asked on route `judge`. Prompts of the suite are answered by a script."""

    url: str = "http://127.0.0.1:9/v1"

    def __post_init__(self) -> None:
        super().__post_init__()
        price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
        self.config["providers"]["served"] = {"kind": "openai", "base_url": self.url}
        self.config["models"]["assessor"] = {"provider": "served", "price": price}
        self.config["routes"].append(
            {"name": "judge", "models": {"primary": "assessor"}, "max_tokens": 120}
        )
        self.config["run"] = {"concurrency": 16, "timeout_s": 5.0, "retries": 0}

    def rubric(self) -> dict[str, Any]:
        """The rubric asks the route."""
        prompt = 'Question: {{ input.question }}\n{{ output | data("REPLY") }}\nAssess it.'
        return super().rubric() | {"judge": {"route": "judge", "prompt": prompt}}


def shown(request: SeenRequest) -> str:
    """The output that a request asks about."""
    found = _SHOWN.search(request.prompt)
    assert found is not None, "the output is not in its fence"
    return found.group(2)


def version_of(request: SeenRequest) -> int:
    """Which prompt wrote the output: 1 or 2 in a run, 3 for what was labelled."""
    found = _KIND.search(shown(request))
    assert found is not None, "the output is none of this project"
    return int(found.group(2))


def said(verdict: str, **more: Any) -> str:
    """A judge's reply."""
    return json.dumps({"reason": "So it is.", "evidence": "", "verdict": verdict} | more)


def by_tone(request: SeenRequest) -> str:
    """A judge that is always right."""
    return said("pass" if "please" in shown(request) else "fail")


def asked_about(server: OpenAIServer, version: int) -> Counter[str]:
    """How often each output of a prompt was asked about."""
    return Counter(shown(each) for each in server.seen if version_of(each) == version)


Judging = Callable[[SeenRequest], str]
