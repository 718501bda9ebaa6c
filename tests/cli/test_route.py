"""`evalkit route explain`: what a call would meet, told without one."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    files = ProjectFiles(tmp_path, cases=3)
    files.config["providers"]["hosted"] = {
        "kind": "openai",
        "base_url": "https://llm.example/v1",
        "api_key_env": "NO_SUCH_KEY_OF_EVALKIT",
    }
    files.config["models"]["large"] = {"provider": "hosted", "id": "large-2025-04-14"}
    files.config["budgets"] = [{"scope": "run", "max_usd": 2}]
    files.route["models"]["fallback"] = "large"
    files.route["max_tool_calls"] = 2
    files.route["policies"] = {"pii_redaction": True, "disallow_actions": ["refund"]}
    return files.write()


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_text_says_who_is_asked_who_follows_when_and_within_which_limits(
    project: ProjectFiles, ask: Ask
) -> None:
    said = ask("route", "explain", "--route", "ask")
    assert said.code == 0, said.err
    shown = words(said.out)
    for part in (
        "a call would go to tiny, through scripts",
        "the route's primary model",
        "fallback 1 of the route",
        "next after timeout, connection, rate limited, server error",
        "never after policy, refusal, invalid output",
        "an answer that turns out to be bad",
        "20 tokens out, 2 tool calls",
        "personal data is redacted; never calls refund",
        "$2.00 a run",
        "not known: no prompt was named",
        "$NO_SUCH_KEY_OF_EVALKIT, which is not set",
    ):
        assert part in shown


def test_what_the_route_permits_is_told(project: ProjectFiles, ask: Ask) -> None:
    project.route.update(
        {
            "max_tool_retries": 1,
            "max_repeats": 2,
            "max_steps": 4,
            "max_total_tokens": 9000,
            "require_citations": {"mode": "warn"},
            "approvals": {"on_execute": {"team": "legal", "expires_s": 600}},
            "steps": {"triage": {"tools": ["look"], "data": ["kb"], "ttl_s": 60}},
        }
    )
    project.route["policies"].update(
        {
            "allow_actions": ["look", "refund"],
            "blocked_phrases": ["falcon", {"text": "eagle", "mode": "warn"}],
            "output_schema": {"schema": "schemas/a.json", "mode": "warn"},
        }
    )
    project.write()
    (project.root / "schemas").mkdir()
    (project.root / "schemas/a.json").write_text('{"type": "object"}')
    said = ask("route", "explain", "--route", "ask")
    assert said.code == 0, said.err
    for part in (
        "2 tool calls, 1 retry of a call that failed, 2 repeats of a call, 4 turns, 9,000 tokens a "
        "session",
        "replies must cite (warn only)",
        "executing needs legal",
        "calls only look, refund",
        "answers must meet schemas/a.json (warn only)",
        "2 blocked phrases (block 1, warn 1)",
        "step triage: calls look; reads kb; for 60 s",
    ):
        assert part in words(said.out)
    assert "falcon" not in said.out
    told = json.loads(ask("route", "explain", "--route", "ask", "--json").out)["permissions"]
    assert told["steps"] == {"triage": {"tools": ["look"], "data": ["kb"], "ttl_s": 60.0}}
    assert told["approval_expires_s"] == 600.0


def test_with_a_case_every_model_has_the_bounds_that_a_plan_has(
    project: ProjectFiles, ask: Ask
) -> None:
    said = ask("route", "explain", "--route", "ask", "--suite", "ask", "--case", "c0001", "--json")
    assert said.code == 0, said.err
    told = json.loads(said.out)
    assert told["schema"] == "evalkit.route/1"
    assert (told["prompt"], told["case"], told["bounds_note"]) == ("ask@v1", "c0001", None)
    first, second = told["models"]
    del project.route["models"]["fallback"]  # a plan needs its key
    project.write()
    planned = json.loads(ask("plan", "ask", "--case", "c0001", "--json").out)["suites"][0]
    tokens = planned["tokens_by_variant"]["candidate"]
    assert {**first["input_tokens"], "output": first["output_tokens"]} == tokens
    assert first["max_cost_usd"] == pytest.approx(sum(tokens.values()) / 1_000_000)
    # the one that cannot be reached is bounded all the same, and says what would stop it
    assert second["input_tokens"] == first["input_tokens"]
    assert (second["replies"], second["max_cost_usd"]) == ("live", None)
    assert "NO_SUCH_KEY_OF_EVALKIT" in second["missing"][0]
    assert second["over_budget"].startswith("budgets.run.max_usd: the model has no price")


def test_an_input_fills_the_prompt_of_the_only_suite_on_the_route(
    project: ProjectFiles, ask: Ask
) -> None:
    (project.root / "asked.json").write_text('{"question": "Is it?"}')
    given = ('{"question": "Is it?"}', "@asked.json")
    told = [
        json.loads(ask("route", "explain", "--route", "ask", "--input", each, "--json").out)
        for each in given
    ]
    assert told[0] == told[1]
    first = told[0]["models"][0]
    assert first["input_tokens"] == {"input": len("v1 Is it?") + 16}
    assert "has no reply to case input" in first["missing"][0]


def test_an_input_that_several_prompts_could_take_needs_a_suite(
    project: ProjectFiles, ask: Ask
) -> None:
    project.config["suites"]["other"] = project.suite | {"target": {"prompt": "ask@v2"}}
    project.write()
    question = ("--input", '{"question": "Is it?"}')
    said = ask("route", "explain", "--route", "ask", *question)
    assert "several prompts are on this route; name a --suite: ask, other" in words(said.out)
    said = ask("route", "explain", "--route", "ask", "--suite", "other", *question)
    assert "ask@v2 of suite other" in words(said.out)
    assert "at most" in said.out


def test_nothing_is_called_and_nothing_is_written_down(project: ProjectFiles, ask: Ask) -> None:
    ask("route", "explain", "--route", "ask", "--suite", "ask", "--case", "c0001")
    assert not (project.root / ".evalkit/runs").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--route", "asks"), "did you mean 'ask'"),
        (("--route", "ask", "--case", "c0001"), "needs the --suite"),
        (("--route", "ask", "--suite", "ask", "--case", "c1"), "there is no case 'c1'"),
        (("--route", "ask", "--suite", "asks"), "there is no suite 'asks'"),
        (("--route", "spare", "--suite", "ask"), "suite ask is on route ask, not on spare"),
        (("--route", "ask", "--input", "{"), "--input is no JSON"),
        (("--route", "ask", "--input", "[1]"), "takes a JSON object"),
        (("--route", "ask", "--input", "@gone.json"), "cannot be read"),
        (("--route", "ask", "--input", '{"other": 1}'), "cannot be rendered"),
        (("--route", "ask", "--suite", "ask", "--case", "c0001", "--input", "{}"), "give one"),
        (("--route", "lost"), "model 'nobody' has no entry"),
        ((), "--route"),
    ],
)
def test_what_cannot_be_explained_is_2_and_says_why(
    project: ProjectFiles, ask: Ask, arguments: tuple[str, ...], says: str
) -> None:
    project.config["routes"] += [
        {"name": "spare", "models": {"primary": "tiny"}},
        {"name": "lost", "models": {"primary": "nobody"}},
    ]
    project.write()
    said = ask("route", "explain", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in words(said.err)


@pytest.fixture
def routed(project: ProjectFiles) -> ProjectFiles:
    """A route by tier with places and pressures, and one for personal data."""
    project.config["providers"]["hosted"] |= {
        "region": "eu",
        "api_key_env": None,
        "limits": {"requests_per_minute": 600, "max_concurrency": 4},
    }
    price = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
    project.config["models"]["large"] |= {"tier": "top", "price": price}
    project.config["models"]["tiny"]["tier"] = "small"
    project.config["models"]["away"] = {"provider": "hosted", "tier": "top", "region": "us"}
    project.config["routes"].append(
        {
            "name": "answers",
            "models": {"tier": "top"},
            "task": "answering",
            "risk": ["low", "high"],
            "regions": ["eu"],
            "degrade": {"to": "tiny", "on": ["load"], "after_s": 2.5},
        }
    )
    return project.write()


def test_a_route_that_is_found_by_its_work_tells_tiers_places_and_pressures(
    routed: ProjectFiles, ask: Ask
) -> None:
    said = ask("route", "explain", "--task", "answering", "--risk", "high")
    assert said.code == 0, said.err
    shown = words(said.out)
    for part in (
        "answers a call would go to large",
        "found by task 'answering' and risk 'high'",
        "is for task answering; risk low, high",
        "region eu only, fallbacks included",
        "left out away: through hosted it is in region us, and the route is for eu",
        "the first one of tier top that it may ask",
        "is tier top, region eu",
        "limits 600 requests a minute, 4 calls at a time",
        "asked instead under pressure: load",
        "to tiny when a call would wait longer than 2.5 s",
        "opens when 80.0 % of at least 20 calls within 60 s failed; 5 s later",
    ):
        assert part in shown
    told = json.loads(ask("route", "explain", "--route", "answers", "--json").out)
    assert told["schema"] == "evalkit.route/1"
    assert [(each["name"], each["asked"]) for each in told["models"]] == [
        ("large", "primary"),
        ("tiny", "degrade"),
    ]
    assert told["degrade"] == {"to": ["tiny"], "on": ["load"], "after_s": 2.5}
    assert told["breaker"]["cool_down_s"] == 5.0
    assert told["found_by"] is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--task", "answring"), "did you mean 'answering'"),
        (("--risk", "pii"), "no route is for risk 'pii'"),
        (("--route", "ask", "--task", "answering"), "give either"),
        (("--task", "answering", "--risk", "medium"), "risk classes low, high"),
    ],
)
def test_work_that_no_route_is_for_is_2(
    routed: ProjectFiles, ask: Ask, arguments: tuple[str, ...], says: str
) -> None:
    said = ask("route", "explain", *arguments)
    assert (said.code, said.out) == (2, "")
    assert says in words(said.err)
