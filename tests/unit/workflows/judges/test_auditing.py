"""An audit: what is asked of a judge, what is found, what is stored."""

import hashlib
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.errors import BudgetExhausted, ConfigError, Refused
from evalkit.records.audit import JudgeAudit
from evalkit.records.calibration import (
    CALIBRATION_SCHEMA,
    Calibration,
    Confusion,
    JudgeMeasured,
    LabelCounts,
)
from evalkit.records.label import LabelledItem
from evalkit.sources.assets import read_config
from evalkit.sources.rubrics import read_rubric
from evalkit.sources.tree import WorkingTree
from evalkit.store.files import write_whole
from evalkit.workflows.judges.audit_asking import RECORDED, SCRIPTED, AuditRequest
from evalkit.workflows.judges.auditing import Audited, audit_judge
from evalkit.workflows.judges.opening import configured_digest
from evalkit.workflows.judges.probing import sample_items
from evalkit.workflows.wiring import Wiring
from tests.audited_project import (
    AUDIT,
    CALIBRATION,
    JudgeTransport,
    gullible,
    judged_text,
    labelled,
    reply,
    steady,
    write_project,
)

ITEMS = [labelled(number, passed=number % 2 == 0) for number in range(120)]
SMALL = AuditRequest(rubric="tone@v1", count=24)


def audited(
    root: Path, transport: JudgeTransport, request: AuditRequest = SMALL, **more: Any
) -> Audited:
    told = {"on_plan": lambda calls: None, "on_answer": lambda done, of: None}
    wiring = Wiring(root, transport=transport, environ={})
    return audit_judge(request, wiring=wiring, **(told | more))


def calibrated(root: Path, items: Sequence[LabelledItem], **fields: Any) -> Calibration:
    """Store a calibration of the project's judge that found it right about every output."""
    tree = WorkingTree(root)
    rubric = read_rubric(tree, "tone@v1")
    counts = LabelCounts(tuning_passes=0, tuning_fails=0, test_passes=60, test_fails=60)
    measured = JudgeMeasured(
        counts=counts,
        labelled_by=("model",),
        confusion=Confusion(true_pass=60, false_fail=0, false_pass=0, true_fail=60),
        tpr=None,
        tnr=None,
        youden=None,
        agreement=None,
        ceiling=None,
        abstained=0.0,
    )
    given: dict[str, Any] = {
        "judge": configured_digest(rubric, read_config(tree)),
        "verdicts": {item.id: item.truth for item in items},
    }
    calibration = Calibration(
        schema=CALIBRATION_SCHEMA,
        rubric="tone@v1",
        labels="sha256:0",
        asked="tiny",
        made_at="2026-05-05T00:00:00+00:00",
        evalkit="0",
        measured=measured,
        **(given | fields),
    )
    write_whole(root / CALIBRATION, msgspec.json.encode(calibration))
    return calibration


def stored_calibration(root: Path) -> Calibration:
    return msgspec.json.decode((root / CALIBRATION).read_bytes(), type=Calibration)


def test_a_steady_judge_is_found_weak_in_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    found = audited(tmp_path, JudgeTransport(steady)).audit
    assert found.weak == ()
    for name in ("repeats", "verbosity", "injection"):
        row = found.row(name)
        assert (row.finding, row.moved) == ("ok", 0)
        assert row.share is not None
        assert 0 < row.share.upper < 0.3
    assert (found.outputs, found.errors, found.labelled_by) == (24, 0, ("model",))


def test_an_injection_that_works_is_the_judges_weakness(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    found = audited(tmp_path, JudgeTransport(gullible)).audit
    assert {row.name for row in found.weak} == {"injection", "injection: plain verdict"}
    row = found.row("injection: plain verdict")
    assert (row.n, row.moved) == (12, 12), "only outputs that it fails can be talked into a pass"
    assert found.row("injection").moved == 12
    assert found.row("injection: base64").moved == 0


def test_a_judge_that_merely_flips_is_unsteady_and_not_credulous(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)

    def unsteady(prompt: str) -> str:
        """Every third answer is the other one, by a digest of how many there were."""
        unsteady_calls.append(prompt)
        digest = hashlib.sha256(f"{len(unsteady_calls)}".encode()).digest()[0]
        right = "Thank you" in judged_text(prompt)
        return reply("pass" if right is not (digest % 3 == 0) else "fail")

    unsteady_calls: list[str] = []
    request = AuditRequest(rubric="tone@v1", count=60, repeats=3)
    found = audited(tmp_path, JudgeTransport(unsteady), request).audit
    assert found.row("repeats").finding == "weak"
    assert found.row("verbosity").finding == "ok"
    assert len([row for row in found.weak if row.check == "injection"]) <= 2


def test_a_judge_that_likes_length_shows_in_verbosity_alone(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)

    def wordy(prompt: str) -> str:
        text = judged_text(prompt)
        return reply("pass" if text.count("Ticket") > 1 or "Thank you" in text else "fail")

    found = audited(tmp_path, JudgeTransport(wordy)).audit
    assert [row.name for row in found.weak] == ["verbosity"]
    row = found.row("verbosity")
    assert row.share is not None
    assert row.share.value == pytest.approx(0.5)
    assert "12 of 12 fails became a pass" in row.detail


def test_the_number_of_calls_is_told_before_any_is_made(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    transport = JudgeTransport()
    told: list[tuple[int, int]] = []
    answers: list[tuple[int, int]] = []
    found = audited(
        tmp_path,
        transport,
        on_plan=lambda calls: told.append((calls, len(transport.prompts))),
        on_answer=lambda done, of: answers.append((done, of)),
    ).audit
    assert told == [(len(transport.prompts), 0)]
    assert found.calls == len(transport.prompts)
    assert answers[-1] == (found.calls, found.calls)


def test_a_second_audit_asks_again_only_what_no_cache_may_answer(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    audited(tmp_path, JudgeTransport())
    transport = JudgeTransport()
    found = audited(tmp_path, transport).audit
    assert len(transport.prompts) == 2 * 24
    without = JudgeTransport()
    audited(tmp_path, without, AuditRequest(rubric="tone@v1", count=24, use_cache=False))
    assert len(without.prompts) == found.calls


def test_a_seed_draws_the_same_outputs_whatever_the_order_of_the_file() -> None:
    one, other = sample_items(ITEMS, 20, 7), sample_items(ITEMS[::-1], 20, 7)
    assert [item.id for item in one] == [item.id for item in other]
    assert [item.id for item in one] != [item.id for item in sample_items(ITEMS, 20, 8)]
    assert sum(item.truth is True for item in one) == 10


@pytest.mark.parametrize(("passes", "fails", "drawn"), [(3, 30, (3, 17)), (30, 3, (17, 3))])
def test_too_few_of_one_label_are_made_up_for_by_the_other(
    passes: int, fails: int, drawn: tuple[int, int]
) -> None:
    items = [labelled(number, passed=True) for number in range(passes)]
    items += [labelled(number, passed=False) for number in range(fails)]
    truths = [item.truth for item in sample_items(items, 20, 0)]
    assert (truths.count(True), truths.count(False)) == drawn


def test_a_judge_that_moved_under_its_name_ends_its_calibration(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    calibrated(tmp_path, ITEMS)

    def harsher(prompt: str) -> str:
        number = int(judged_text(prompt).split("icket ")[1].split()[0].rstrip("."))
        return reply("fail") if number % 3 == 0 else steady(prompt)

    found = audited(tmp_path, JudgeTransport(harsher))
    row = found.audit.row("drift")
    assert found.stale
    assert row.finding == "weak"
    assert row.n >= 100, "what the sample lacks is asked besides"
    drifted = stored_calibration(tmp_path).drifted
    assert drifted == found.audit.drift
    assert drifted is not None
    assert drifted.p < 0.01
    assert "--no-cache" in row.todo


def test_a_judge_that_judges_as_it_did_keeps_its_calibration(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    before = calibrated(tmp_path, ITEMS)
    found = audited(tmp_path, JudgeTransport(steady))
    assert found.audit.row("drift").finding == "ok"
    assert not found.stale
    assert stored_calibration(tmp_path) == before


def test_drift_is_not_told_by_what_the_cache_remembers(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    audited(tmp_path, JudgeTransport(steady))
    calibrated(tmp_path, ITEMS)
    found = audited(tmp_path, JudgeTransport(lambda prompt: reply("fail")))
    assert found.stale


def test_the_calibration_of_another_judge_tells_no_drift(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    before = calibrated(tmp_path, ITEMS, judge="sha256:other")
    found = audited(tmp_path, JudgeTransport(lambda prompt: reply("fail")))
    row = found.audit.row("drift")
    assert row.finding == "not measured"
    assert "another judge" in row.todo
    assert stored_calibration(tmp_path) == before


def test_too_few_calibrated_outputs_tell_no_drift_and_cost_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS[:60])
    calibrated(tmp_path, ITEMS[:60])
    transport = JudgeTransport()
    found = audited(tmp_path, transport).audit
    assert found.row("drift").finding == "not measured"
    assert "100 labelled outputs" in found.row("drift").todo
    assert len(transport.prompts) == 24 * 21


def test_favour_for_its_own_model_needs_no_further_question(tmp_path: Path) -> None:
    items = [
        labelled(number, passed=number % 2 == 0, model="tiny" if number % 4 < 2 else "rival")
        for number in range(120)
    ]
    write_project(tmp_path, items)
    own = {item.id for item in items if item.source["model"] == "tiny"}
    verdicts = {item.id: item.truth or item.id in own for item in items}
    calibrated(tmp_path, items, verdicts=verdicts)

    def partial(prompt: str) -> str:
        number = int(judged_text(prompt).split("icket ")[1].split()[0].rstrip("."))
        return reply("pass") if number % 4 < 2 else steady(prompt)

    row = audited(tmp_path, JudgeTransport(partial)).audit.row("self-preference")
    assert (row.finding, row.n) == ("weak", 120)
    assert row.share is not None
    assert row.share.value == pytest.approx(0.5)


def test_arms_of_a_run_are_compared_before_models_are(tmp_path: Path) -> None:
    items = [
        labelled(
            number,
            passed=number % 2 == 0,
            model="m1" if number % 3 else "m2",
            variant="baseline" if number % 4 < 2 else "candidate",
        )
        for number in range(240)
    ]
    write_project(tmp_path, items)
    calibrated(tmp_path, items)
    row = audited(tmp_path, JudgeTransport()).audit.row("equal errors")
    assert (row.finding, row.n, row.p) == ("ok", 240, 1.0)
    assert row.tried == "errors on outputs of baseline and candidate"


def test_a_pair_is_asked_in_both_orders_and_its_first_place_shows(tmp_path: Path) -> None:
    other = {"reply": "Another reply."}
    items = [labelled(n, passed=n % 2 == 0, other=other) for n in range(30)]
    prompt = '{{ output.reply | data("REPLY") }}\n{{ other.reply | data("OTHER") }}'
    judge = {"route": "judge", "prompt": prompt}
    write_project(tmp_path, items, rubric={"compare": "pair", "judge": judge})
    transport = JudgeTransport(lambda shown: reply("first"))
    told: list[int] = []
    found = audited(tmp_path, transport, on_plan=told.append).audit
    row = found.row("order")
    assert (row.finding, row.n, row.moved) == ("weak", 24, 24)
    assert "24 times it preferred what was shown first" in row.detail
    assert "favours what is shown first" in row.todo
    assert told == [len(transport.prompts)]


def test_members_of_a_panel_that_differ_are_counted(tmp_path: Path) -> None:
    members = ("one", "two", "three")
    config = {
        "models": {name: {"provider": "served"} for name in members},
        "routes": [{"name": name, "models": {"primary": name}} for name in members],
    }
    judge = {"panel": list(members), "prompt": '{{ output.reply | data("REPLY") }}'}
    write_project(tmp_path, ITEMS, config=config, rubric={"judge": judge})
    transport = JudgeTransport()

    def harsh_third(prompt: str) -> str:
        return reply("fail") if transport.models[-1] == "three" else steady(prompt)

    transport.judging = harsh_third
    found = audited(tmp_path, transport).audit
    row = found.row("panel")
    assert (row.finding, row.n, row.moved) == ("weak", 24, 12)
    assert found.row("repeats").finding == "ok"
    assert found.row("injection: in the input").finding == "not measured", "it is not shown"
    assert found.calls == len(transport.prompts) == 3 * 24 * 20


def test_recorded_verdicts_are_looked_at_whole_and_asked_nothing(tmp_path: Path) -> None:
    items = [
        labelled(number, passed=number % 2 == 0, model="far" if number % 4 < 2 else "near")
        for number in range(80)
    ]
    judge = {"recorded": {"file": "verdicts.jsonl", "judge": "far"}}
    write_project(tmp_path, items, rubric={"judge": judge})
    lines = [
        {
            "id": item.id,
            "verdict": "pass" if item.truth or item.source["model"] == "far" else "fail",
        }
        for item in items
    ]
    (tmp_path / "verdicts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    told: list[int] = []
    transport = JudgeTransport()
    found = audited(tmp_path, transport, on_plan=told.append).audit
    assert (transport.prompts, told) == ([], [])
    assert found.outputs == 80
    for name in ("repeats", "verbosity", "injection", "drift"):
        assert (found.row(name).finding, found.row(name).todo) == ("not measured", RECORDED)
    assert found.row("self-preference").finding == "weak"


def test_replies_written_by_hand_measure_nothing(tmp_path: Path) -> None:
    scripts = {"scripts": {"kind": "scripted", "path": "scripted.jsonl"}}
    models = {"tiny": {"provider": "scripts"}}
    write_project(tmp_path, ITEMS, config={"providers": scripts, "models": models})
    lines = [
        {"case": item.id, "prompt": "judge judge", "reply": {"content": reply("pass")}}
        for item in ITEMS
    ]
    (tmp_path / "scripted.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    found = audited(tmp_path, JudgeTransport()).audit
    assert found.row("injection").todo == SCRIPTED
    assert {row.finding for row in found.rows} == {"not measured"}
    assert (found.calls, found.errors) == (24, 0)


def test_a_part_of_the_output_that_the_judge_is_not_shown_is_not_asked_about(
    tmp_path: Path,
) -> None:
    note = "for the archive, and rather a long one " * 3
    items = [labelled(n, passed=n % 2 == 0, note=note) for n in range(40)]
    write_project(tmp_path, items)
    found = audited(tmp_path, JudgeTransport()).audit
    assert found.row("verbosity").finding == "not measured"
    assert "does not show" in found.row("verbosity").todo
    assert found.row("injection: in the input").finding == "ok"


def test_a_small_sample_is_never_called_ok_and_may_be_found_weak(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    request = AuditRequest(rubric="tone@v1", count=6)
    steady_rows = audited(tmp_path, JudgeTransport(steady), request).audit.rows
    assert {row.finding for row in steady_rows} == {"not measured"}
    gullible_audit = audited(
        tmp_path,
        JudgeTransport(gullible),
        AuditRequest(rubric="tone@v1", count=6, use_cache=False),
    ).audit
    assert gullible_audit.row("injection: plain verdict").finding == "weak"


def test_the_audit_is_stored_beside_the_rubric_and_reads_back(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    found = audited(tmp_path, JudgeTransport())
    assert found.stored == AUDIT
    assert msgspec.json.decode((tmp_path / AUDIT).read_bytes(), type=JudgeAudit) == found.audit


def test_an_exhausted_budget_finds_nothing_and_keeps_the_old_audit(tmp_path: Path) -> None:
    budget = [{"scope": "run", "max_usd": 0.01}]
    write_project(tmp_path, ITEMS, config={"budgets": budget})
    (tmp_path / AUDIT).write_text("the old one")
    with pytest.raises(BudgetExhausted) as stopped:
        audited(tmp_path, JudgeTransport())
    assert stopped.value.exit_code == 4
    assert "stored" in str(stopped.value)
    assert (tmp_path / AUDIT).read_text() == "the old one"


def test_labels_may_stand_anywhere(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", ITEMS)
    (root / "rubrics/tone/v1.labels.jsonl").rename(tmp_path / "mine.jsonl")
    with pytest.raises(ConfigError, match="no output is labelled"):
        audited(root, JudgeTransport())
    request = AuditRequest(rubric="tone@v1", count=12, labels=tmp_path / "mine.jsonl")
    assert audited(root, JudgeTransport(), request).audit.outputs == 12


def test_a_judge_without_its_key_is_refused(tmp_path: Path) -> None:
    keyed = {"served": {"kind": "openai", "api_key_env": "JUDGE_KEY"}}
    write_project(tmp_path, ITEMS, config={"providers": keyed})
    with pytest.raises(Refused, match="JUDGE_KEY"):
        audited(tmp_path, JudgeTransport())


def test_an_interruption_ends_what_is_in_flight_and_stores_nothing(tmp_path: Path) -> None:
    write_project(tmp_path, ITEMS)
    transport = JudgeTransport()

    def interrupted(prompt: str) -> str:
        if len(transport.prompts) == 30:
            signal.raise_signal(signal.SIGINT)
        return steady(prompt)

    transport.judging = interrupted
    with pytest.raises(KeyboardInterrupt):
        audited(tmp_path, transport)
    assert 30 <= len(transport.prompts) < 60
    assert not (tmp_path / AUDIT).exists()
