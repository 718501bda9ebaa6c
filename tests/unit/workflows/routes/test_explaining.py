"""Where the replies of a route would come from, and what keeps a model from answering."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.ports import HttpReply
from evalkit.records.route import ModelExplained, RouteExplained
from evalkit.workflows.routes.asked import find_asked
from evalkit.workflows.routes.explaining import explain_route
from evalkit.workflows.runs.running import run_suites
from evalkit.workflows.setup.request import RunRequest
from evalkit.workflows.wiring import Wiring
from tests.cli.project import ProjectFiles

HOSTED = {"kind": "openai", "base_url": "https://llm.example/v1", "api_key_env": "LLM_KEY"}


def explained(
    root: Path,
    provider: dict[str, Any],
    *,
    live: bool = False,
    environ: Mapping[str, str] | None = None,
) -> ModelExplained:
    """The only model of a route, through this provider."""
    config = {
        "version": 1,
        "providers": {"hosted": provider, "spare": {"kind": "scripted", "path": "spare.jsonl"}},
        "models": {"m": {"provider": "hosted"}},
        "routes": [{"name": "r", "models": {"primary": "m"}}],
    }
    (root / "evalkit.yaml").write_text(yaml.safe_dump(config))
    told = explain_route(
        find_asked(root, "r"), wiring=Wiring(root, live=live, environ=environ or {})
    )
    (model,) = told.models
    return model


def test_a_live_model_says_its_key_is_set_and_never_the_key(tmp_path: Path) -> None:
    model = explained(tmp_path, HOSTED, environ={"LLM_KEY": "key-of-secrets"})
    assert (model.replies, model.source, model.missing) == ("live", "https://llm.example/v1", ())
    assert model.why == "the route's primary model; $LLM_KEY is set"
    assert "key-of-secrets" not in repr(model)


def test_a_model_without_its_key_names_the_variable(tmp_path: Path) -> None:
    model = explained(tmp_path, HOSTED)
    assert model.replies == "live"
    assert "$LLM_KEY, which is not set" in model.missing[0]


def test_a_stand_in_is_told_with_whom_it_stands_in_for(tmp_path: Path) -> None:
    model = explained(tmp_path, HOSTED | {"without_key": "spare"})
    assert (model.provider, model.configured, model.replies) == ("spare", "hosted", "scripted")
    assert "spare stands in for hosted" in model.why
    assert model.missing == ("spare.jsonl is not there, so no reply can be replayed",)


def test_recordings_are_replayed_unless_the_model_is_asked_live(tmp_path: Path) -> None:
    (tmp_path / "kept/m").mkdir(parents=True)
    provider = HOSTED | {"recordings": "kept"}
    replayed = explained(tmp_path, provider, environ={"LLM_KEY": "k"})
    assert (replayed.replies, replayed.source, replayed.missing) == ("recording", "kept/m", ())
    assert "--live would ask it" in replayed.why
    assert explained(tmp_path, provider, live=True, environ={"LLM_KEY": "k"}).replies == "live"


def test_recordings_that_are_not_there_are_missing(tmp_path: Path) -> None:
    model = explained(tmp_path, HOSTED | {"recordings": "kept"}, environ={"LLM_KEY": "k"})
    assert model.missing == ("kept/m is not there, so no reply can be replayed",)


def test_bedrock_without_a_key_of_its_own_names_those_it_is_signed_by(tmp_path: Path) -> None:
    provider = {"kind": "bedrock", "base_url": "https://bedrock-runtime.eu-central-1.amazonaws.com"}
    assert "$AWS_SECRET_ACCESS_KEY" in explained(tmp_path, provider).missing[0]
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    assert explained(tmp_path, provider, environ=keys).missing == ()


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=2)
    files.config["providers"]["hosted"] = HOSTED
    files.config["models"]["tiny"]["provider"] = "hosted"
    return files


def of_case(files: ProjectFiles) -> RouteExplained:
    files.write()
    asked = find_asked(files.root, "ask", suite="ask", case="c0001")
    return explain_route(asked, wiring=Wiring(files.root, environ={"LLM_KEY": "k"}))


class SaysYes:
    """Implements ports.Transport: every call is answered, none leaves."""

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        choice = {"message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 9, "completion_tokens": 1}
        answer = json.dumps({"model": "tiny", "choices": [choice], "usage": usage}).encode()
        return HttpReply(status=200, headers={"content-type": "application/json"}, body=answer)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        raise AssertionError("models are asked by POST")

    async def close(self) -> None:
        pass


def test_what_was_answered_before_would_come_from_the_cache(project: ProjectFiles) -> None:
    assert of_case(project).models[0].replies == "live"
    wiring = Wiring(project.root, transport=SaysYes(), environ={"LLM_KEY": "k"})
    run_suites(RunRequest(cases=("c0001",)), wiring=wiring)
    (model,) = of_case(project).models
    assert (model.replies, model.missing) == ("cache", ())
    assert model.why.endswith("the same request was answered before")


def test_a_call_above_what_a_budget_has_says_so(project: ProjectFiles) -> None:
    project.config["budgets"] = [{"scope": "run", "max_tokens": 10}]
    (model,) = of_case(project).models
    assert model.over_budget is not None
    assert model.over_budget.startswith("budgets.run.max_tokens: the call may take up to")
    project.config["budgets"] = [{"scope": "run", "max_tokens": 10_000, "max_usd": 1}]
    (model,) = of_case(project).models
    assert model.over_budget is None


def test_a_call_above_the_share_of_a_budget_says_who_is_asked_instead(
    project: ProjectFiles,
) -> None:
    project.config["models"]["small"] = dict(project.config["models"]["tiny"])
    project.route["degrade"] = {"to": "small", "on": ["budget"]}
    budget = {"scope": "run", "max_tokens": 10_000, "on_exceed": "degrade", "degrade_at": 0.001}
    project.config["budgets"] = [budget]
    tiny, small = of_case(project).models
    assert tiny.over_budget is not None and tiny.degrades_to == "small"
    assert (small.over_budget, small.degrades_to) == (None, None)
    # what stops a call stops it for every model
    project.config["budgets"] = [budget | {"max_tokens": 10}]
    assert [each.degrades_to for each in of_case(project).models] == ["small", None]
    project.config["budgets"] = [budget, {"scope": "route", "max_tokens": 10}]
    assert [each.degrades_to for each in of_case(project).models] == [None, None]
    project.config["budgets"] = [budget]
    project.route["degrade"]["on"] = ["load"]
    assert [each.over_budget for each in of_case(project).models] == [None, None]


def test_the_output_bound_is_the_smallest_cap_that_applies(project: ProjectFiles) -> None:
    told = of_case(project)
    assert (told.max_tokens, told.max_tokens_by, told.models[0].output_tokens) == (20, "route", 20)
    del project.route["max_tokens"]
    told = of_case(project)
    assert (told.max_tokens, told.max_tokens_by) == (4096, "default")


def test_a_case_that_a_policy_stops_before_any_call_says_which(project: ProjectFiles) -> None:
    project.route["retrieval"] = {"allow_indexes": ["handbook"]}
    project.write()
    prompt = yaml.safe_load(project.prompt(1)) | {
        "retrieve": {"index": "mails", "query": "{{ input.question }}"}
    }
    (project.root / "prompts/ask/v1.yaml").write_text(yaml.safe_dump(prompt))
    asked = find_asked(project.root, "ask", suite="ask", case="c0001")
    told = explain_route(asked, wiring=Wiring(project.root, environ={"LLM_KEY": "k"}))
    assert told.blocked is not None
    assert told.blocked.startswith("retrieval.allow_indexes: route ask may not read index mails")
    assert told.models[0].input_tokens is None
