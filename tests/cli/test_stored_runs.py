"""`evalkit score` and `evalkit gate` on bundles: the verdict is in the bundle, nowhere else."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from evalkit import Run
from evalkit.workflows.deciding import decide, score_attempts
from tests.cli.conftest import Ask, Gated


def record_of(bundle: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((bundle / "run.json").read_text())
    return record


@pytest.mark.parametrize("verb", ["gate", "score"])
def test_deciding_again_gives_the_verdict_of_the_run(
    ask: Ask, gated_copy: Gated, verb: str
) -> None:
    for run, code in ((gated_copy.failed, 1), (gated_copy.passed, 0)):
        before = record_of(gated_copy.bundle(run))
        said = ask(verb, run, "--json", cwd=gated_copy.root)
        assert (said.code, said.err) == (code, "")
        decided = json.loads(said.out)
        assert (decided if verb == "gate" else decided["verdict"]) == before["verdict"]
        assert record_of(gated_copy.bundle(run)) == before


def test_scores_that_were_tampered_with_are_restored(ask: Ask, gated_copy: Gated) -> None:
    bundle = gated_copy.bundle(gated_copy.failed)
    names = ("scores.jsonl", "run.json", "report.md", "junit.xml")
    before = {name: (bundle / name).read_bytes() for name in names}
    tampered = before["scores.jsonl"].replace(b'"passed":false', b'"passed":true')
    assert tampered != before["scores.jsonl"]
    (bundle / "scores.jsonl").write_bytes(tampered)
    assert ask("gate", gated_copy.failed, cwd=gated_copy.root).code == 1
    assert ask("score", gated_copy.failed, cwd=gated_copy.root).code == 1
    assert {name: (bundle / name).read_bytes() for name in names} == before
    assert ask("gate", gated_copy.failed, cwd=gated_copy.root).code == 1


@pytest.mark.parametrize("left", [0, 20, 1_000])
def test_scores_that_were_torn_or_lost_are_written_again(
    ask: Ask, gated_copy: Gated, left: int
) -> None:
    path = gated_copy.bundle(gated_copy.failed) / "scores.jsonl"
    before = path.read_bytes()
    path.write_bytes(before[:left])
    shown = ask("show", gated_copy.failed, cwd=gated_copy.root)
    assert shown.code == (4 if left else 0)
    assert not left or "`evalkit score RUN` writes the file again" in shown.err
    assert ask("score", gated_copy.failed, cwd=gated_copy.root).code == 1
    assert path.read_bytes() == before


def test_two_runs_are_gated_candidate_against_candidate(ask: Ask, gated: Gated) -> None:
    worse = ask("gate", gated.passed, gated.failed, "--json", cwd=gated.root)
    assert worse.code == 1
    (suite,) = json.loads(worse.out)["suites"]
    assert (suite["parts"][0]["counts"]["b"], suite["parts"][0]["counts"]["c"]) == (12, 0)
    assert ask("gate", gated.failed, gated.passed, cwd=gated.root).code == 0


def test_runs_that_were_measured_differently_are_not_gated(ask: Ask, gated_copy: Gated) -> None:
    path = gated_copy.bundle(gated_copy.failed) / "run.json"
    record = json.loads(path.read_text())
    record["suites"][0]["golden_digest"] = "sha256:" + "0" * 64
    path.write_text(json.dumps(record))
    said = ask("gate", gated_copy.passed, gated_copy.failed, cwd=gated_copy.root)
    assert (said.code, said.out) == (2, "")
    assert "golden set" in said.err


def test_a_run_and_a_file_or_flags_of_files_do_not_mix(ask: Ask, gated: Gated) -> None:
    for arguments in (
        (gated.failed, "b.csv"),
        (gated.failed, "--max-drop-pp", "50"),
        (gated.failed, "--rule", "strict"),
    ):
        said = ask("gate", *arguments, cwd=gated.root)
        assert (said.code, said.out) == (2, "")


def test_a_bundle_alone_is_enough_to_decide(ask: Ask, gated: Gated, tmp_path: Path) -> None:
    alone = tmp_path / "elsewhere/artifact"
    shutil.copytree(gated.bundle(gated.failed), alone)
    run = Run.load(alone)
    assert run.exit_code == 1
    assert len(run.frame()) == 120 * 2 * 2  # cases, variants, scorers: the state and `exact`
    stored = run.stored
    assert decide(stored.snapshots, stored.attempts, stored.scores) == run.verdict
    scores = tuple(score_attempts(stored.snapshots, stored.attempts))
    assert sorted(map(repr, scores)) == sorted(map(repr, stored.scores))
    # and from the command line, where there is no project around
    before = (alone / "run.json").read_bytes()
    for verb in ("gate", "score", "show", "diff"):
        said = ask(verb, str(alone), cwd=tmp_path)
        assert said.code == (1 if verb in ("gate", "score") else 0), said.err
        assert "FAIL" in said.out
    assert (alone / "run.json").read_bytes() == before


def test_a_bundle_of_a_newer_evalkit_is_refused(ask: Ask, gated_copy: Gated) -> None:
    path = gated_copy.bundle(gated_copy.failed) / "run.json"
    path.write_text(path.read_text().replace("evalkit.run/1", "evalkit.run/9"))
    for verb in ("show", "gate", "score", "diff"):
        said = ask(verb, gated_copy.failed, cwd=gated_copy.root)
        assert said.code == 4
        assert "evalkit.run/9" in said.err
        assert said.out == ""
