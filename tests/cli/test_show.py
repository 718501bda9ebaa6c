"""`evalkit show`: what did it do, what did it cost, why did it decide that."""

import json
import shutil
from pathlib import Path

from tests.cli.conftest import Ask, Gated


def test_a_run_says_what_it_did_what_it_cost_and_why(ask: Ask, gated: Gated) -> None:
    said = ask("show", gated.failed, cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    for words in ("FAIL", "120 answered", "$", "Why it came out so", "ask@v2", gated.failed):
        assert words in said.out
    as_json = ask("show", gated.failed, "--json", cwd=gated.root)
    assert json.loads(as_json.out) == json.loads(
        (gated.bundle(gated.failed) / "run.json").read_text()
    )


def test_a_case_shows_both_arms_their_scores_and_decisions(ask: Ask, gated: Gated) -> None:
    said = ask("show", gated.failed, "c0003", cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    assert "Is 3 less than 4?" in said.out
    assert "baseline, trial 1: passed" in said.out
    assert "candidate, trial 1: failed" in said.out
    assert 'expected "yes", found "no"' in said.out
    assert "models.primary" in said.out
    view = json.loads(ask("show", gated.failed, "c0003", "--json", cwd=gated.root).out)
    (suite,) = view["suites"]
    assert suite["case"]["id"] == "c0003"


def test_the_default_is_the_latest_and_a_prefix_is_enough(ask: Ask, gated: Gated) -> None:
    latest = max(gated.failed, gated.passed)
    assert latest in ask("show", cwd=gated.root).out
    assert gated.failed in ask("show", gated.failed[:-1], cwd=gated.root).out


def test_a_case_or_run_that_is_not_there_is_refused(ask: Ask, gated: Gated) -> None:
    case = ask("show", gated.failed, "c9999", "--json", cwd=gated.root)
    assert (case.code, case.out) == (2, "")
    assert "c9999" in case.err
    run = ask("show", "nope", cwd=gated.root)
    assert (run.code, run.out) == (2, "")
    assert gated.failed in run.err


def test_a_run_that_was_killed_is_told_from_its_journal(
    ask: Ask, gated: Gated, tmp_path: Path
) -> None:
    bundle = tmp_path / "runs" / gated.failed
    shutil.copytree(gated.bundle(gated.failed), bundle)
    for name in ("report.md", "report.html", "junit.xml", "scores.jsonl"):
        (bundle / name).unlink()
    record = json.loads((bundle / "run.json").read_text())
    for suite in record["suites"]:
        suite["totals"] = []
    (bundle / "run.json").write_text(json.dumps(record | {"state": "running", "verdict": None}))
    journal = (bundle / "attempts.jsonl").read_text().splitlines(keepends=True)
    (bundle / "attempts.jsonl").write_text("".join(journal[:20]))
    said = ask("show", str(bundle), cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("RUNNING  ")
    assert said.out.count("attempts   10: 10 answered") == 2
    assert said.out.count("of 10 attempts with a result, of 120") == 2
    assert "report." not in said.out
