"""Accepting a part that did not pass: what can be, what is written, what has become of it."""

import os
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import Refused, UsageError
from evalkit.records.cases import Cases
from evalkit.records.run import RunRecord, SuiteRecord, SuiteSnapshot
from evalkit.records.verdict import (
    Estimate,
    Outcome,
    PartKind,
    PartVerdict,
    SuiteVerdict,
    Verdict,
    Waiver,
)
from evalkit.report.screen import Screen
from evalkit.sources.tree import WorkingTree
from evalkit.sources.waivers import WAIVERS_FILE, load_waivers
from evalkit.store.runs import RunStore
from evalkit.workflows.waivers.states import state_waivers
from evalkit.workflows.waivers.waiving import Waived, WaiveRequest, remove_waiver, waive_part
from evalkit.workflows.waivers.words import waivers_text

TODAY = date(2026, 7, 15)
REASON = "Fixed by DESK-7 next week."


def part(name: str, kind: PartKind, outcome: Outcome = Outcome.FAIL, **more: Any) -> PartVerdict:
    """A required part that came out so."""
    return PartVerdict(
        name=name,
        kind=kind,
        outcome=outcome,
        best=outcome,
        worst=outcome,
        required=more.pop("required", True),
        message=f"{name} said so.",
        **more,
    )


DROP = part("drop", "drop", estimate=Estimate(drop=0.05, lower=0.02, upper=0.081))
FLOOR = part(
    "slice:high risk floor", "slice_floor", candidate_rate=0.9, candidate_interval=(0.8514, 0.95)
)
BROKEN = part("invariant:policy", "invariant", cases=("c-1", "c-2"))
GUARD = part("gate change", "guard", Outcome.INCONCLUSIVE, held=True)
MISSING = part("metric:tokens", "metric", Outcome.NOT_MEASURED)
CUT = part("floor", "floor", Outcome.INCOMPLETE)
FINE = part("metric:cost_usd", "metric", Outcome.PASS)
WATCHED = part("slice:seen floor", "slice_floor", required=False, candidate_rate=0.5)


def record(run: str, *suites: SuiteVerdict, **changes: Any) -> RunRecord:
    """A run that came out so."""
    fields: dict[str, Any] = {
        "schema": "evalkit.run/1",
        "id": run,
        "evalkit": "0",
        "state": "complete",
        "started_at": "2026-07-15T10:00:00Z",
        "finished_at": "2026-07-15T10:01:00Z",
        "duration_s": 60.0,
        "command": (),
        "suites": (),
        "verdict": Verdict(outcome=Outcome.FAIL, exit_code=1, suites=suites, reasons=()),
        "exit_code": 1,
    }
    return RunRecord(**(fields | changes))


def suite(name: str, *parts: PartVerdict) -> SuiteVerdict:
    """A suite with these parts."""
    return SuiteVerdict(
        suite=name,
        outcome=Outcome.FAIL,
        parts=parts,
        unknown=0,
        planned=100,
        on_inconclusive="escalate",
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with one stored run."""
    tmp_path.joinpath("evalkit.yaml").write_text("version: 1\n")
    store = RunStore(tmp_path)
    parts = (DROP, FLOOR, BROKEN, GUARD, MISSING, CUT, FINE, WATCHED)
    store.create(record("20260715T100000Z-0001", suite("desk", *parts)))
    return tmp_path


def waive(root: Path, run: str = "latest", today: date = TODAY, **asked: Any) -> Waived:
    """Accept a part, with a reason, an end and a name unless they are given."""
    given = {"part": "drop", "reason": REASON, "until": "30d", "by": "Ana <a@example.org>"} | asked
    return waive_part(root, run, WaiveRequest(**given), runs_root=root, today=today)


def refused(root: Path, run: str = "latest", **asked: Any) -> str:
    """Why a part cannot be accepted; nothing is written."""
    before = root.joinpath(WAIVERS_FILE).exists()
    with pytest.raises(UsageError) as caught:
        waive(root, run, **asked)
    assert root.joinpath(WAIVERS_FILE).exists() is before
    return str(caught.value)


def held(root: Path) -> tuple[Waiver, ...]:
    """What the file holds, as a run loads it."""
    return load_waivers(WorkingTree(root), suites=["desk"], today=TODAY)


def test_a_waiver_covers_what_was_measured_from_today_to_its_end(root: Path) -> None:
    waived = waive(root)
    (waiver,) = held(root)
    assert (waiver.suite, waiver.part, waiver.up_to) == ("desk", "drop", 8.1)
    assert (waiver.on, waiver.until) == ("2026-07-15", "2026-08-14")
    assert (waiver.id, waiver.accepted_by) == ("desk-drop-2026-07-15", "Ana <a@example.org>")
    assert (waived.run, waived.replaced) == ("20260715T100000Z-0001", ())
    first = root.joinpath(WAIVERS_FILE).read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=.evalkit/schema/waivers.schema.json")


def test_every_kind_of_part_gets_its_own_cover(root: Path) -> None:
    for name in (FLOOR.name, BROKEN.name, GUARD.name):
        waive(root, part=name)
    floor, broken, guard = held(root)
    assert (floor.at_least, broken.cases) == (0.851, ("c-1", "c-2"))
    assert guard.text == "gate change said so."


def test_what_cannot_be_accepted_is_not_offered(root: Path) -> None:
    said = refused(root, part=None)
    assert said.startswith("say what is accepted, with --suite and --part")
    offered = [line.partition("--part ")[2].partition("  ")[0] for line in said.splitlines()[1:]]
    assert offered == ["drop", f'"{FLOOR.name}"', BROKEN.name, '"gate change"']


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"part": "drp"}, "did you mean 'drop'?"),
        ({"part": MISSING.name}, "is not_measured in desk, which cannot be waived"),
        ({"part": CUT.name}, "is incomplete in desk, which cannot be waived"),
        ({"part": FINE.name}, "passed in desk, so there is nothing to accept"),
        ({"suite": "dsk"}, "has no suite 'dsk'; it has desk; did you mean 'desk'?"),
        ({"reason": None}, "give --reason TEXT"),
        ({"until": None}, "give --until DATE"),
        ({"reason": None, "until": None}, "--reason TEXT and --until DATE"),
        ({"reason": "short"}, "--reason: at least 10 characters"),
        ({"until": "30"}, "a date (YYYY-MM-DD) or a number of days (30d)"),
        ({"until": "0d"}, "a date (YYYY-MM-DD) or a number of days (30d)"),
        ({"until": "2026-07-14"}, "not between today and 2027-07-16"),
        ({"until": "400d"}, "not between today and 2027-07-16"),
        ({"id": "no blank"}, "--id: a name of letters"),
        ({"by": " "}, "--by: "),
    ],
)
def test_what_is_not_clear_is_refused_and_nothing_is_written(
    root: Path, asked: dict[str, Any], says: str
) -> None:
    assert says in refused(root, **asked)


def test_a_part_that_several_suites_have_needs_the_suite(root: Path) -> None:
    RunStore(root).create(record("20260715T110000Z-0001", suite("a", DROP), suite("b", DROP)))
    assert "several suites have a part 'drop'" in refused(root)
    assert waive(root, suite="b").waiver.suite == "b"


def test_a_run_without_a_verdict_has_nothing_to_accept(root: Path) -> None:
    RunStore(root).create(record("20260715T110000Z-0001", verdict=None, state="interrupted"))
    with pytest.raises(Refused, match="is interrupted, so it decided nothing"):
        waive(root)


def test_a_run_that_passed_has_nothing_to_accept(root: Path) -> None:
    RunStore(root).create(record("20260715T110000Z-0001", suite("desk", FINE)))
    assert "nothing to waive: every part of it passed" in refused(root)


def test_a_part_about_a_waiver_says_how_to_take_it_out(root: Path) -> None:
    ended = part("waiver:old-1", "waiver", Outcome.INCONCLUSIVE, held=True)
    RunStore(root).create(record("20260715T110000Z-0001", suite("desk", FINE, ended)))
    assert "evalkit waive --remove old-1" in refused(root)


def test_one_in_force_gives_way_to_a_renewal_only(root: Path) -> None:
    waive(root)
    assert "is in force until 2026-08-14" in refused(root, until="60d")
    renewed = waive(root, until="60d", renew=True)
    assert [each.until for each in renewed.replaced] == ["2026-08-14"]
    assert [(each.id, each.until) for each in held(root)] == [
        ("desk-drop-2026-07-15", "2026-09-13")
    ]


def test_an_expired_one_gives_way_and_its_neighbours_stay(root: Path) -> None:
    waive(root, part=BROKEN.name, until="200d")
    waive(root, until="5d")
    later = date(2026, 8, 1)
    waived = waive(root, today=later)
    assert [each.id for each in waived.replaced] == ["desk-drop-2026-07-15"]
    assert [each.id for each in load_waivers(WorkingTree(root))] == [
        "desk-invariant-policy-2026-07-15",
        "desk-drop-2026-08-01",
    ]


def test_an_id_that_is_taken_is_refused_and_a_made_one_finds_another(root: Path) -> None:
    waive(root, part=BROKEN.name, id="desk-drop-2026-07-15")
    assert "there is a waiver 'desk-drop-2026-07-15' already" in refused(
        root, id="desk-drop-2026-07-15"
    )
    assert waive(root).waiver.id == "desk-drop-2026-07-15-2"


def test_a_dry_run_writes_nothing(root: Path) -> None:
    assert not waive(root, dry_run=True).written
    assert not root.joinpath(WAIVERS_FILE).exists()


def test_the_rest_of_the_file_stays_byte_for_byte(root: Path) -> None:
    waive(root, part=BROKEN.name)
    path = root / WAIVERS_FILE
    path.write_bytes(path.read_bytes() + b"\n# kept  \n")
    before = path.read_bytes()
    waived = waive(root)
    assert path.read_bytes().startswith(before)
    remove_waiver(root, waived.waiver.id)
    assert path.read_bytes() == before


def test_removing_what_is_not_there_names_what_is(root: Path) -> None:
    with pytest.raises(UsageError, match=r"waivers\.yaml has none"):
        remove_waiver(root, "x")
    waive(root)
    with pytest.raises(UsageError, match="did you mean 'desk-drop-2026-07-15'"):
        remove_waiver(root, "desk-drop-2026-07-14")


def test_git_says_who_accepts_where_nobody_is_named(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    assert "say who accepts it: --by" in refused(root, by=None)
    for key, value in (("user.name", "Bo Lee"), ("user.email", "bo@example.org")):
        subprocess.run(["git", "config", key, value], cwd=root, check=True)
    assert waive(root, by=None).waiver.accepted_by == "Bo Lee <bo@example.org>"


def test_the_list_tells_what_holds_what_ended_and_what_no_run_needed(root: Path) -> None:
    assert "nothing is waived" in waivers_text(state_waivers(root, today=TODAY))
    drop = waive(root, until="5d").waiver
    floor = waive(root, part=FLOOR.name, until="90d").waiver
    broken = waive(root, part=BROKEN.name, until="90d").waiver
    snapshot = SuiteSnapshot(
        suite="desk",
        golden="desk@v1",
        golden_path="",
        cases=Cases.of(()),
        scorers=(),
        gate={},
        has_baseline=True,
        trials=1,
        waivers=(drop, floor),
    )
    ran = SuiteRecord(
        suite="desk",
        golden="desk@v1",
        golden_digest="",
        scorers=(),
        scorers_digest="",
        gate={},
        variants=(),
        totals=(),
        cases=0,
        trials=1,
    )
    accepted = suite("desk", DROP.revised(waiver=drop), FINE)
    bundle = RunStore(root).create(record("20260716T100000Z-0001", accepted, suites=(ran,)))
    bundle.write_snapshot(snapshot)
    day = date(2026, 7, 16)
    assert [(each.state, each.days) for each in state_waivers(root, today=day)] == [
        ("in force", 4),
        ("unused", 89),
        ("in force", 89),  # no run was held against it yet
    ]
    later = state_waivers(root, today=date(2026, 7, 23))
    assert (later[0].state, later[0].days) == ("expired", 3)
    text = waivers_text(later, screen=Screen(width=100))
    assert f"{drop.id}  expired 3 days ago" in text
    assert "unused: run 20260716T100000Z-0001 did not need it" in text
    assert f"in 2 cases: {', '.join(broken.cases)}" in text


def test_nothing_of_a_waiver_is_obeyed_by_a_terminal(root: Path) -> None:
    waive(root, reason="Fixed \x1b[2J by DESK-7", by="A\x1b[31m")
    assert "\x1b" not in waivers_text(state_waivers(root, today=TODAY))
    assert b"\x1b" not in root.joinpath(WAIVERS_FILE).read_bytes()
    data = parse_yaml(root.joinpath(WAIVERS_FILE).read_bytes(), WAIVERS_FILE).data
    assert data["waivers"][0]["reason"] == "Fixed \x1b[2J by DESK-7"
