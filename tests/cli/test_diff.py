"""`evalkit diff`: two arms of a run, or two runs."""

import json

from tests.cli.conftest import Ask, Gated


def test_the_arms_of_a_run_show_its_regressions_first(ask: Ask, gated: Gated) -> None:
    said = ask("diff", gated.failed, cwd=gated.root)
    assert (said.code, said.err) == (0, "")
    assert "Regressions: 12" in said.out
    assert said.out.index("Regressions: 12") < said.out.index("Slices")
    assert "goldensets/ask/v1/cases.jsonl:1" in said.out
    assert 'expected "yes", found "no"' in said.out
    assert "c0011  passed, now fails" not in said.out
    everything = ask("diff", gated.failed, "--all", cwd=gated.root)
    assert "c0011  passed, now fails" in everything.out
    assert ask("diff", gated.failed, "--exit-code", cwd=gated.root).code == 1
    assert ask("diff", gated.passed, "--exit-code", cwd=gated.root).code == 0


def test_markdown_and_json_hold_the_same_counts(ask: Ask, gated: Gated) -> None:
    markdown = ask("diff", gated.failed, "--md", cwd=gated.root)
    assert (markdown.code, markdown.err) == (0, "")
    assert "\x1b" not in markdown.out
    assert any(line.startswith("#") for line in markdown.out.splitlines())
    assert any(line.startswith("|") for line in markdown.out.splitlines())
    as_json = ask("diff", gated.failed, "--json", "--exit-code", cwd=gated.root)
    assert (as_json.code, as_json.err) == (1, "")
    (suite,) = json.loads(as_json.out)["suites"]
    assert [case["case"] for case in suite["changes"]] == [f"c{n:04}" for n in range(12)]
    both = ask("diff", gated.failed, "--json", "--md", cwd=gated.root)
    assert (both.code, both.out) == (2, "")


def test_two_runs_compare_their_candidates(ask: Ask, gated: Gated) -> None:
    worse = ask("diff", gated.passed, gated.failed, cwd=gated.root)
    assert (worse.code, worse.err) == (0, "")
    assert "Regressions: 12" in worse.out
    assert gated.passed in worse.out
    assert ask("diff", gated.passed, gated.failed, "--exit-code", cwd=gated.root).code == 1
    better = ask("diff", gated.failed, gated.passed, cwd=gated.root)
    assert "Fixes: 12" in better.out
    assert "Regressions" not in better.out


def test_a_run_that_is_not_there_is_refused_with_those_that_are(ask: Ask, gated: Gated) -> None:
    said = ask("diff", "latest", "19990101", cwd=gated.root)
    assert (said.code, said.out) == (2, "")
    assert gated.failed in said.err
    ambiguous = ask("diff", "20", cwd=gated.root)
    assert ambiguous.code == 2
    assert "fits 2 runs" in ambiguous.err
