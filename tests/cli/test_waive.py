"""`evalkit waive`: from a run that failed to one that passes by what was accepted, and its end."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.cli.conftest import V2, Ask, Evalkit, Gated

REASON = "New wording, fixed by ASK-12."
ACCEPT = ("--suite", "ask", "--part", "drop", "--reason", REASON, "--until", "30d", "--by", "Ana")


def day(offset: int) -> str:
    """A day from today, as the gate counts them."""
    return (datetime.now(UTC).date() + timedelta(days=offset)).isoformat()


def test_an_accepted_drop_passes_and_fails_again_once_it_has_expired(
    ask: Ask, evalkit: Evalkit, gated_copy: Gated
) -> None:
    root = gated_copy.root
    said = ask("waive", gated_copy.failed, *ACCEPT, cwd=root)
    assert (said.code, said.err) == (0, "")
    assert "was added to waivers.yaml" in said.out
    assert "commit waivers.yaml, have it reviewed" in said.out
    assert ask("check", cwd=root).code == 0

    done = evalkit("run", *V2, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    first = " ".join(done.stdout.split("\n\n")[0].split())
    assert first.startswith("PASS (exit 0)") and f"accepted until {day(30)}" in first
    words = " ".join(done.stdout.split())
    assert "FAIL (accepted) drop" in words
    assert f"Accepted by Ana until {day(30)}" in words and REASON in words
    (listed,) = json.loads(ask("waive", "--list", "--json", cwd=root).out)["waivers"]
    assert (listed["state"], listed["days"]) == ("in force", 30)

    path = root / "waivers.yaml"
    text = path.read_text()
    past = text.replace(f"until: {day(30)}", f"until: {day(-1)}")
    path.write_text(past.replace(f"on: {day(0)}", f"on: {day(-9)}"))
    checked = ask("check", cwd=root)
    assert checked.code == 2
    assert "error: waivers.yaml:4: ask-drop-" in checked.err and "expired 1 day ago" in checked.err
    done = evalkit("run", *V2, cwd=root)
    assert done.returncode == 1
    assert f"expired after {day(-1)}" in " ".join(done.stdout.split())
    done = evalkit("run", cwd=root)  # it would pass, and the waiver has to go first
    assert done.returncode == 3
    assert "waivers.yaml" in done.stdout

    (listed,) = json.loads(ask("waive", "--list", "--json", cwd=root).out)["waivers"]
    assert (listed["state"], listed["days"]) == ("expired", 1)
    assert ask("waive", "--remove", listed["id"], cwd=root).code == 0
    assert evalkit("run", "--quiet", cwd=root).returncode == 0


def test_without_a_part_those_that_can_be_accepted_are_listed(ask: Ask, gated_copy: Gated) -> None:
    said = ask("waive", gated_copy.failed, cwd=gated_copy.root)
    assert (said.code, said.out) == (2, "")
    assert (
        "--suite ask --part drop  FAIL: the pass rate fell 10 pp; less than 3 pp is allowed"
        in said.err
    )
    assert not (gated_copy.root / "waivers.yaml").exists()


def test_a_run_that_passed_has_nothing_to_accept(ask: Ask, gated_copy: Gated) -> None:
    said = ask("waive", *ACCEPT, cwd=gated_copy.root)
    assert said.code == 2
    assert "nothing to waive: every part of it passed" in said.err


def test_json_is_all_there_is_on_stdout(ask: Ask, gated_copy: Gated) -> None:
    root = gated_copy.root
    dry = ask("waive", gated_copy.failed, *ACCEPT, "--dry-run", "--json", cwd=root)
    value = json.loads(dry.out)
    assert (value["written"], value["file"], value["run"]) == (
        False,
        "waivers.yaml",
        gated_copy.failed,
    )
    assert value["waiver"]["reason"] == REASON and value["waiver"]["until"] == day(30)
    assert not (root / "waivers.yaml").exists()
    ask("waive", gated_copy.failed, *ACCEPT, "--id", "one", cwd=root)
    again = ask("waive", gated_copy.failed, *ACCEPT, "--renew", "--json", cwd=root)
    assert [old["id"] for old in json.loads(again.out)["replaced"]] == ["one"]
    removed = ask("waive", "--remove", value["waiver"]["id"], "--json", cwd=root)
    assert json.loads(removed.out)["removed"]["part"] == "drop"
    assert json.loads(ask("waive", "--list", "--json", cwd=root).out) == {"waivers": []}


@pytest.mark.parametrize(
    "arguments", [("--list", "--remove", "x"), ("--list", "--renew"), ("--remove", "x", *ACCEPT)]
)
def test_listing_and_removing_stand_alone(
    ask: Ask, gated: Gated, arguments: tuple[str, ...]
) -> None:
    said = ask("waive", *arguments, cwd=gated.root)
    assert (said.code, said.out) == (2, "")
    assert "stand alone" in said.err


@pytest.mark.parametrize("verb", [("check",), ("run",), ("plan",)])
def test_a_waiver_of_a_suite_that_is_gone_is_refused_by_every_verb(
    ask: Ask, gated_copy: Gated, verb: tuple[str, ...]
) -> None:
    root = gated_copy.root
    ask("waive", gated_copy.failed, *ACCEPT, cwd=root)
    path = root / "waivers.yaml"
    path.write_text(path.read_text().replace("suite: ask", "suite: aks"))
    said = ask(*verb, cwd=root)
    assert said.code == 2
    assert re.search(r"waivers\.yaml:5:\d+: .*there is no suite of this name", said.err)


def test_failed_attempts_are_counted_by_their_mode(ask: Ask, gated: Gated) -> None:
    record = json.loads((gated.bundle(gated.failed) / "run.json").read_text())
    baseline, candidate = record["suites"][0]["totals"]
    assert (baseline["failure_modes"], candidate["failure_modes"]) == ({}, {"wrong_output": 12})
    report = (gated.bundle(gated.failed) / "report.md").read_text()
    assert "Failures by mode: `wrong_output` 0 → 12" in report
    shown = ask("show", gated.failed, cwd=gated.root)
    assert "12 wrong_output" in shown.out
    diff = json.loads(ask("diff", gated.failed, "--json", cwd=gated.root).out)
    assert diff["suites"][0]["after"]["failure_modes"] == {"wrong_output": 12}
    assert diff["suites"][0]["changes"][0]["after"]["failure_mode"] == "wrong_output"
