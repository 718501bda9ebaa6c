"""A rubric's judge under a configuration: who it is, what makes it another, what keeps it shut."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.budgets import Budget
from evalkit.control.ledger.book import Ledger
from evalkit.errors import ConfigError, Refused
from evalkit.records.case import Document
from evalkit.records.judgment import Opinion, Subject
from evalkit.sources.assets import read_config
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.workflows.judges.opening import (
    OpenedJudge,
    asked_words,
    configured_digest,
    open_judge,
)
from evalkit.workflows.wiring import Wiring
from tests.audited_project import JudgeTransport, write_project
from tests.unit.workflows.judges.judged_project import project_of

PRICE = {"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}
CONFIG: dict[str, Any] = {
    "providers": {"served": {"kind": "openai", "base_url": "http://judge.test/v1"}},
    "models": {"tiny": {"provider": "served", "price": PRICE}},
    "routes": [{"name": "judge", "models": {"primary": "tiny"}, "max_tokens": 200}],
}
SUBJECT = Subject(
    input={"ticket": "My printer, sold to ada@example.org, is broken."},
    output={"reply": "Thank you, ada@example.org."},
)


def project(root: Path, judge: Any = None, **config: Any) -> Path:
    """A project with a judge on the route `judge`, or with these keys of its own."""
    rubric = {} if judge is None else {"judge": {"prompt": "{{ output.reply }}", **judge}}
    return write_project(root, [], config=CONFIG | config, rubric=rubric)


def opened(root: Path, transport: JudgeTransport | None = None, **more: Any) -> OpenedJudge:
    """Its judge, opened."""
    tree = WorkingTree(root)
    given: dict[str, Any] = {"ledger": Ledger(()), "cache": None} | more
    return open_judge(
        read_rubric(tree, "tone@v1"),
        config=read_config(tree),
        wiring=Wiring(root, transport=transport or JudgeTransport(), environ={}),
        **given,
    )


def digest(root: Path) -> str:
    """Who the configuration says judges."""
    tree = WorkingTree(root)
    return configured_digest(read_rubric(tree, "tone@v1"), read_config(tree))


def ask(judge: OpenedJudge, suite: str = "", case: str = "") -> Opinion:
    """What it says of the usual output."""
    return asyncio.run(judge.judge.ask(SUBJECT, suite=suite, case=case))


def test_an_opened_judge_is_the_one_that_the_configuration_names(tmp_path: Path) -> None:
    judge = opened(project(tmp_path))
    assert judge.digest == digest(tmp_path)
    assert (judge.asked, judge.live, judge.unpriced) == ("tiny on route judge", True, ())


def test_it_asks_through_the_route_and_answers_with_an_opinion(tmp_path: Path) -> None:
    transport = JudgeTransport()
    ledger = Ledger(())
    judge = opened(project(tmp_path), transport, ledger=ledger)
    opinion = ask(judge, suite="mail", case="m1")
    assert (opinion.state, opinion.passed) == ("judged", True)
    (call,) = opinion.calls
    assert (call.route, call.model, call.model_id) == ("judge", "tiny", "tiny-0001")
    assert transport.models == ["tiny"]
    # 100 tokens in and 20 out at a dollar a million
    assert ledger.spent_usd == pytest.approx(120e-6)
    assert call.billed_usd == pytest.approx(120e-6)


def test_a_judge_is_shown_no_personal_data(tmp_path: Path) -> None:
    transport = JudgeTransport()
    route = CONFIG["routes"][0] | {"policies": {"pii_redaction": True}}
    opinion = ask(opened(project(tmp_path, routes=[route]), transport))
    assert opinion.state == "judged"
    assert "ada@example.org" not in transport.prompts[0]
    # one person has one placeholder in question and answer
    assert transport.prompts[0].count("[EMAIL_1]") == 2


def test_a_budget_that_is_spent_ends_in_an_error_and_asks_nobody(tmp_path: Path) -> None:
    transport = JudgeTransport()
    budget = Budget(scope="run", max_usd=0.000001)
    opinion = ask(opened(project(tmp_path), transport, ledger=Ledger([budget])))
    assert (opinion.state, opinion.calls[0].failure_mode) == ("error", "budget")
    assert transport.prompts == []


def test_documents_of_a_subject_can_be_shown(tmp_path: Path) -> None:
    transport = JudgeTransport()
    prompt = "{{ output.reply | data('REPLY') }}{% for d in documents %}{{ d.text }}{% endfor %}"
    judge = opened(project(tmp_path, {"route": "judge", "prompt": prompt}), transport)
    documents = (Document(id="kb-1", index="kb", text="Printers are free."),)
    subject = Subject(input={}, output={"reply": "Thank you."}, documents=documents)
    assert asyncio.run(judge.judge.ask(subject)).state == "judged"
    assert "Printers are free." in transport.prompts[0]


ROUTE = CONFIG["routes"][0]


@pytest.mark.parametrize(
    "config",
    [
        {"models": {"tiny": {"provider": "served", "id": "tiny-2", "price": PRICE}}},
        {"providers": {"served": {"kind": "openai", "base_url": "http://other.test/v1"}}},
        {"routes": [ROUTE | {"max_tokens": 100}]},
        {"routes": [ROUTE | {"policies": {"pii_redaction": True}}]},
        {
            "models": {"tiny": CONFIG["models"]["tiny"], "big": CONFIG["models"]["tiny"]},
            "routes": [ROUTE | {"models": {"primary": "tiny", "fallback": ["big"]}}],
        },
    ],
)
def test_whatever_shapes_its_replies_makes_another_judge(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    before = digest(project(tmp_path))
    assert digest(project(tmp_path, **config)) != before


def test_what_shapes_no_reply_makes_no_other_judge(tmp_path: Path) -> None:
    before = digest(project(tmp_path))
    dearer = {"tiny": {"provider": "served", "price": PRICE | {"output_usd_per_mtok": 9}}}
    owned = [ROUTE | {"owner": "team mail"}]
    assert digest(project(tmp_path, models=dearer, routes=owned)) == before


def test_the_same_model_on_a_route_of_another_name_is_another_judge(tmp_path: Path) -> None:
    """A rubric that names another route is another rubric."""
    before = digest(project(tmp_path))
    renamed = project(tmp_path, {"route": "desk"}, routes=[ROUTE | {"name": "desk"}])
    assert digest(renamed) != before


def test_a_panel_asks_every_route_and_is_told_as_one(tmp_path: Path) -> None:
    transport = JudgeTransport()
    routes = [ROUTE, ROUTE | {"name": "second"}]
    prompt = "{{ output.reply | data('REPLY') }}"
    judge = opened(
        project(tmp_path, {"panel": ["judge", "second"], "prompt": prompt}, routes=routes),
        transport,
    )
    assert judge.asked == "a panel of tiny on route judge, tiny on route second"
    assert [call.route for call in ask(judge).calls] == ["judge", "second"]


def test_a_route_that_is_not_there_is_a_problem_of_the_rubric(tmp_path: Path) -> None:
    root = project(tmp_path, {"route": "jugde"})
    for look in (opened, digest):
        with pytest.raises(ConfigError) as raised:
            look(root)
        (problem,) = raised.value.problems
        assert (problem.file, problem.key) == ("rubrics/tone/v1.yaml", "judge.route")
        assert "no route 'jugde'" in problem.message
        assert "judge" in str(problem.suggestion)


def test_a_model_without_its_key_cannot_be_opened_and_is_still_known(tmp_path: Path) -> None:
    served = {"kind": "openai", "base_url": "http://judge.test/v1", "api_key_env": "NO_SUCH_KEY"}
    root = project(tmp_path, providers={"served": served})
    with pytest.raises(Refused, match="NO_SUCH_KEY"):
        opened(root)
    assert digest(root) == digest(project(tmp_path))


def test_a_stand_in_is_another_judge_than_the_model_that_it_stands_for(tmp_path: Path) -> None:
    served = {
        "kind": "openai",
        "base_url": "http://judge.test/v1",
        "api_key_env": "NO_SUCH_KEY",
        "without_key": "scripts",
    }
    scripts = {"kind": "scripted", "path": "{suite}.jsonl"}
    root = project(tmp_path, providers={"served": served, "scripts": scripts})
    row = {"case": "*", "reply": {"content": "no"}}
    (root / "tone.jsonl").write_text(json.dumps(row) + "\n")
    judge = opened(root)
    assert judge.live is False
    assert judge.digest != digest(root)


def test_a_model_without_a_price_is_named(tmp_path: Path) -> None:
    assert opened(project(tmp_path, models={"tiny": {"provider": "served"}})).unpriced == ("tiny",)


def test_recorded_verdicts_ask_nobody_and_are_named_after_their_judge(tmp_path: Path) -> None:
    found = project_of(tmp_path, right_passes=1, wrong_passes=0, right_fails=0, wrong_fails=0)
    judge = opened(found.root)
    assert (judge.asked, judge.live) == ("a judge elsewhere (recorded verdicts)", False)
    opinion = asyncio.run(judge.judge.ask(found.items[0].subject))
    assert (opinion.state, opinion.passed, opinion.billed_usd) == ("judged", True, 0.0)
    tree = WorkingTree(found.root)
    rubric, config = read_rubric(tree, "tone@v1"), read_config(tree)
    assert configured_digest(rubric, config) == judge.digest
    assert asked_words(rubric, config) == judge.asked


def test_a_file_of_verdicts_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = project_of(tmp_path)
    (found.root / "verdicts.jsonl").unlink()
    with pytest.raises(ConfigError, match=r"verdicts\.jsonl: is not there"):
        opened(found.root)
