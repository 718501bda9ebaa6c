"""A run that several machines make: `run --shard I/N`, and `merge`, which decides."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import V2, Ask, call_evalkit
from tests.cli.judged import JudgedProject
from tests.cli.project import ProjectFiles, wrong_in_first

CASES = 120
OF = 3


@dataclass(frozen=True)
class Sharded:
    """A project with the three shards of a run, and the same run undivided."""

    root: Path
    shards: tuple[str, ...]
    whole: str

    def bundle(self, run: str) -> Path:
        return self.root / ".evalkit/runs" / run

    def record(self, run: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.bundle(run) / "run.json").read_text())
        return found

    def edit(self, run: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change a run.json."""
        record = self.record(run)
        change(record)
        (self.bundle(run) / "run.json").write_text(json.dumps(record))

    def runs(self) -> set[str]:
        return {path.name for path in (self.root / ".evalkit/runs").iterdir()}


def new_run(root: Path, before: set[str]) -> str:
    (name,) = {path.name for path in (root / ".evalkit/runs").iterdir()} - before
    return name


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Sharded:
    project = ProjectFiles(tmp_path_factory.mktemp("sharded") / "project", cases=CASES)
    project.replies["ask@v2"] = wrong_in_first(20)
    project.config["budgets"] = [{"scope": "run", "max_usd": 3.0}]
    project.case_changes = {n: {"group": f"g{n // 2}"} for n in range(100, CASES)}
    project.write()
    project.commit()
    names: list[str] = []
    (project.root / ".evalkit/runs").mkdir(parents=True)
    for more in (*(["--shard", f"{i}/{OF}"] for i in range(1, OF + 1)), []):
        done = call_evalkit("run", *V2, *more, cwd=project.root)
        assert done.returncode == (0 if more else 1), done.stdout + done.stderr
        if more:
            assert f"shard {more[1][0]} of 3: no verdict until all 3 are merged" in done.stdout
            assert f"evalkit merge {new_run(project.root, set(names))} SHARD…" in done.stdout
            assert "of $" in done.stdout
        names.append(new_run(project.root, set(names)))
    return Sharded(project.root, tuple(names[:OF]), names[OF])


@pytest.fixture
def sharded(made: Sharded, tmp_path: Path) -> Sharded:
    """A copy to change."""
    root = tmp_path / "project"
    shutil.copytree(made.root, root)
    return Sharded(root, made.shards, made.whole)


def test_shards_split_the_cases_and_the_cap(made: Sharded) -> None:
    cases: list[str] = []
    caps = []
    for index, run in enumerate(made.shards, start=1):
        record = made.record(run)
        assert record["shard"] == record["request"]["shard"] == {"index": index, "of": OF}
        assert (record["verdict"], record["exit_code"], record["gates"]) == (None, 0, False)
        caps.append(record["budget_usd"])
        kept = (made.bundle(run) / "assets/ask.cases.jsonl").read_text().splitlines()
        cases += [json.loads(line)["id"] for line in kept]
        attempts = (made.bundle(run) / "attempts.jsonl").read_text().splitlines()
        assert len(attempts) == 2 * len(kept)
        report = (made.bundle(run) / "report.md").read_text()
        assert f"shard {index} of 3: no verdict" in report
    assert sorted(cases) == [f"c{number:04}" for number in range(CASES)]
    assert sum(caps) <= 3.0 and min(caps) > 0.9
    digests = {made.record(run)["plan"]["digest"] for run in made.shards}
    assert len(digests) == 1


def test_merged_shards_are_the_run_that_was_not_divided(sharded: Sharded, ask: Ask) -> None:
    before = sharded.runs()
    said = ask("merge", *reversed(sharded.shards), cwd=sharded.root)
    assert said.code == 1, said.err
    name = new_run(sharded.root, before)
    merged, whole = sharded.record(name), sharded.record(sharded.whole)
    assert merged["verdict"] == whole["verdict"]
    assert merged["suites"] == whole["suites"]
    for key in ("why", "exit_code", "state", "budget_usd", "billed_usd", "changes", "gates", "git"):
        assert merged[key] == whole[key], key
    assert [each["run"] for each in merged["merged"]] == list(sharded.shards)
    assert merged["shard"] is None and merged["request"] == {
        key: value for key, value in whole["request"].items() if key not in ("shard", "shard_costs")
    }
    for file in ("assets/ask.json", "assets/ask.cases.jsonl"):
        a, b = (sharded.bundle(run) / file for run in (name, sharded.whole))
        assert a.read_bytes() == b.read_bytes()
    for file in ("attempts.jsonl", "traces.jsonl", "scores.jsonl"):
        of_merged, of_whole = (
            sorted(map(place_of, (sharded.bundle(run) / file).read_text().splitlines()))
            for run in (name, sharded.whole)
        )
        assert of_merged == of_whole, file
    assert ask("gate", name, cwd=sharded.root).code == 1
    assert ask("score", name, cwd=sharded.root).code == 1
    listed = ask("history", "--json", cwd=sharded.root)
    assert name in listed.out and not any(run in listed.out for run in sharded.shards)


def test_a_merged_bundle_holds_every_line_of_its_shards(sharded: Sharded, ask: Ask) -> None:
    before = sharded.runs()
    assert ask("merge", *sharded.shards, cwd=sharded.root).code == 1
    merged = sharded.bundle(new_run(sharded.root, before))
    for file in ("attempts.jsonl", "traces.jsonl", "scores.jsonl"):
        lines = [
            line
            for run in sharded.shards
            for line in (sharded.bundle(run) / file).read_text().splitlines()
        ]
        found = (merged / file).read_text().splitlines()
        assert sorted(found) == sorted(lines), file
    order = [place_of(line) for line in (merged / "attempts.jsonl").read_text().splitlines()]
    assert order == sorted(order, key=lambda place: (place[3], place[2], place[1]))


def test_a_merge_that_breaks_off_leaves_no_run_behind(sharded: Sharded, ask: Ask) -> None:
    before = sharded.runs()
    traces = sharded.bundle(sharded.shards[1]) / "traces.jsonl"
    lines = traces.read_text().splitlines(keepends=True)
    traces.write_text("garbage\n" + "".join(lines[1:]))
    assert "it is damaged" in refusal(ask("merge", *sharded.shards, cwd=sharded.root))
    # the place can be read, and what stands behind it when the line is written
    traces.write_text(lines[0].replace('"decisions":', '"decisionz":') + "".join(lines[1:]))
    said = ask("merge", *sharded.shards, cwd=sharded.root)
    assert said.code != 0 and "traces.jsonl:1" in said.err
    assert sharded.runs() == before
    traces.write_text("".join(lines))
    assert ask("merge", *sharded.shards, cwd=sharded.root).code == 1


def place_of(line: str) -> tuple[Any, ...]:
    row = json.loads(line)
    return row["suite"], row["variant"], row["case"], row["trial"], row.get("scorer", "")


def test_a_folder_stands_for_the_shards_below_it(sharded: Sharded, ask: Ask) -> None:
    folder = sharded.root.parent / "downloads"
    for number, run in enumerate(sharded.shards):
        shutil.copytree(sharded.bundle(run), folder / f"artifact-{number}/runs/{run}")
    shutil.rmtree(sharded.root / ".evalkit")
    said = ask("merge", str(folder), "--json", cwd=sharded.root)
    assert said.code == 1, said.err
    assert json.loads(said.out)["verdict"]["outcome"] == "fail"
    assert (sharded.root / ".evalkit/last.json").is_file()


def refusal(said: Any) -> str:
    assert said.code == 2, said.out + said.err
    return " ".join(said.err.split())


def test_what_is_no_whole_run_is_refused_by_name(sharded: Sharded, ask: Ask) -> None:
    one, two, three = sharded.shards
    before = sharded.runs()

    def merge(*names: str) -> str:
        return refusal(ask("merge", *names, cwd=sharded.root))

    assert "shard 2 of 3 is missing" in merge(one, three)
    assert "evalkit run --shard 2/3" in merge(one, three)
    assert "shards 1, 2 of 3 are missing" in merge(three)
    assert f"run {sharded.whole} is no shard of a run" in merge(one, two, three, sharded.whole)
    assert "there is no run 'nowhere'" in merge(one, "nowhere")
    assert "no shard of a run in" in merge(str(sharded.root / "prompts"))
    shutil.copytree(sharded.bundle(two), sharded.root.parent / "again")
    sharded_again = str(sharded.root.parent / "again")
    assert "shard 2 of 3 is there more than once" in merge(one, two, three, sharded_again)
    assert sharded.runs() == before, "nothing is written"


Change = Callable[[dict[str, Any]], None]


def put(**values: Any) -> Change:
    return lambda record: record.update(values)


def change_plan(record: dict[str, Any]) -> None:
    record["plan"]["parts"]["the budgets"] = "sha256:" + "0" * 64


def climb(record: dict[str, Any]) -> None:
    record["plan"]["suites"]["../../up"] = 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put(evalkit="0.0.9"), "was made by evalkit 0.0.9, and this is"),
        (put(state="incomplete"), "is incomplete, so not all of its attempts were made"),
        (put(state="running"), "evalkit run --resume"),
        (change_plan, "its plan was changed"),
        (climb, "its plan was changed"),
        (put(request={"suites": ["ask"]}), "what the run was asked for is not what was planned"),
        (put(shard={"index": 7, "of": 3}), "is not one of 3 shards"),
        (put(shard={"index": 2, "of": 4}), "its run.json was changed"),
        (put(schema="evalkit.run/9"), "written by a newer evalkit"),
        (put(plan=None), "is no shard of a run"),
    ],
)
def test_a_changed_record_is_refused(
    sharded: Sharded, ask: Ask, change: Change, words: str
) -> None:
    sharded.edit(sharded.shards[1], change)
    assert words in refusal(ask("merge", *sharded.shards, cwd=sharded.root))


def test_a_bundle_that_lost_or_gained_something_is_refused(sharded: Sharded, ask: Ask) -> None:
    def merge() -> str:
        return refusal(ask("merge", *sharded.shards, cwd=sharded.root))

    journal = sharded.bundle(sharded.shards[0]) / "attempts.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:-1]))
    assert "lacks 1 attempt that it should have made: ask" in merge()
    journal.write_text("".join(lines) + lines[0].replace('"trial":1', '"trial":2'))
    assert "holds 1 attempt that its plan does not have: ask" in merge()
    other = (sharded.bundle(sharded.shards[1]) / "attempts.jsonl").read_text().splitlines()[0]
    journal.write_text("".join(lines) + other + "\n")
    assert "holds 1 attempt that its plan does not have: ask" in merge()
    journal.write_text("garbage\n" + "".join(lines))
    assert "cannot be merged, it is damaged" in merge()
    journal.write_text("".join(lines))
    (sharded.bundle(sharded.shards[2]) / "run.json").write_bytes(b"\xff{")
    assert "cannot be merged, it is damaged" in merge()


def test_a_gate_that_is_not_the_planned_one_does_not_decide(sharded: Sharded, ask: Ask) -> None:
    path = sharded.bundle(sharded.shards[0]) / "assets/ask.json"
    snapshot = json.loads(path.read_text())
    snapshot["gate"]["max_drop_pp"] = 50.0
    path.write_text(json.dumps(snapshot))
    sharded.edit(sharded.shards[0], lambda r: r["suites"][0].update(gate=snapshot["gate"]))
    words = refusal(ask("merge", *sharded.shards, cwd=sharded.root))
    assert "the gate of suite ask is not what was planned" in words


def test_a_case_in_two_shards_or_in_none_is_refused(sharded: Sharded, ask: Ask) -> None:
    first, second = (sharded.bundle(run) / "assets/ask.json" for run in sharded.shards[:2])
    snapshot = json.loads(first.read_text())
    kept, other = (
        [json.loads(line) for line in path.with_suffix(".cases.jsonl").read_text().splitlines()]
        for path in (first, second)
    )

    def store(cases: list[dict[str, Any]]) -> str:
        # as an older evalkit wrote them
        first.write_text(json.dumps(snapshot | {"cases": cases}))
        sharded.edit(sharded.shards[0], lambda r: r["suites"][0].update(cases=len(cases)))
        return refusal(ask("merge", *sharded.shards, cwd=sharded.root))

    assert "which are not the 120 that were planned" in store(kept[1:])
    assert "a run has every case once" in store([*kept, other[0]])


def test_shards_of_different_plans_are_told_apart_by_what_differs(
    sharded: Sharded, ask: Ask
) -> None:
    before = sharded.runs()
    assert ask("run", "-q", "--shard", "2/3", cwd=sharded.root).code == 0
    other = new_run(sharded.root, before)
    names = (sharded.shards[0], other, sharded.shards[2])
    words = refusal(ask("merge", *names, cwd=sharded.root))
    assert "are not of one run; what differs: what the run was asked for" in words
    assert "the candidate of suite ask" in words


def test_a_shard_decides_nothing_wherever_runs_are_read(sharded: Sharded, ask: Ask) -> None:
    shard, other = sharded.shards[:2]
    alone = "is shard 1 of 3, without the others"
    assert alone in refusal(ask("gate", shard, cwd=sharded.root))
    assert alone in refusal(ask("gate", shard, other, cwd=sharded.root))
    assert alone in refusal(ask("run", "--baseline", shard, cwd=sharded.root))
    assert alone in refusal(ask("publish", "plain", shard, "--to", "x", cwd=sharded.root))
    assert ask("score", shard, cwd=sharded.root).code == 0
    shown = ask("show", shard, cwd=sharded.root)
    assert (shown.code, "SHARD 1/3" in shown.out) == (0, True)
    assert ask("diff", shard, cwd=sharded.root).code == 0
    assert ask("diff", shard, sharded.whole, cwd=sharded.root).code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--shard", "5/4"), "expected I/N"),
        (("--shard", "0/4"), "expected I/N"),
        (("--shard", "two/4"), "expected I/N"),
        (("--shard", "1/121"), "there are 120 cases for 121 shards"),
        (("--shard", "1/2", "--case", "c0001"), "--case makes a run that never gates"),
        (("--shard", "1/2", "--tag", "odd"), "--tag makes a run that never gates"),
        (("--shard", "1/2", "--fault", "primary=down"), "--fault makes a run that never gates"),
        (
            ("--shard", "1/2", "--regressed", "--cases-from", "latest"),
            "--regressed makes a run that never gates",
        ),
        (("--shard", "1/2", "--resume", "latest"), "it takes no suites and no other option"),
    ],
)
def test_what_makes_no_shard_is_refused(
    made: Sharded, ask: Ask, arguments: tuple[str, ...], words: str
) -> None:
    assert words in refusal(ask("run", *arguments, cwd=made.root))


def test_an_open_verdict_says_what_would_settle_it(tmp_path: Path, ask: Ask) -> None:
    project = ProjectFiles(tmp_path / "small", cases=6)
    project.replies["ask@v2"] = wrong_in_first(1)
    project.write()
    for index in (1, 2):
        done = ask("run", "-q", *V2, "--shard", f"{index}/2", cwd=project.root)
        assert done.code == 0, done.err
    merged = ask("merge", ".evalkit/runs", "--json", cwd=project.root)
    assert merged.code == 3, merged.err
    assert any("--trials N" in why for why in json.loads(merged.out)["why"])


def test_a_suite_that_is_smaller_than_the_shards_is_merged_whole(tmp_path: Path, ask: Ask) -> None:
    project = ProjectFiles(tmp_path / "two", cases=2)
    project.suite["gate"] = {"min_pass_rate": 0.5}
    project.config["suites"]["more"] = project.suite | {"golden": "ask@v1"}
    project.config["providers"]["scripts"]["path"] = "scripted/ask.jsonl"
    for suite in project.config["suites"].values():
        suite.pop("baseline")
    project.write()
    for index in range(1, 4):
        done = ask("run", "-q", "--no-baseline", "--shard", f"{index}/3", cwd=project.root)
        assert done.code == 0, done.err
    merged = ask("merge", ".evalkit/runs", "--json", cwd=project.root)
    assert merged.code == 0, merged.out + merged.err
    suites = json.loads(merged.out)["suites"]
    assert [(each["suite"], each["cases"]) for each in suites] == [("ask", 2), ("more", 2)]


def test_every_shard_judges_its_own_attempts(tmp_path: Path, ask: Ask) -> None:
    project = JudgedProject(tmp_path / "judged", cases=60)
    project.write()
    before: set[str] = set()
    for more in (("--shard", "1/2"), ("--shard", "2/2"), ()):
        assert ask("run", "-q", *V2, *more, cwd=project.root).code in (0, 1, 3)
    one, two, whole = sorted(path.name for path in (project.root / ".evalkit/runs").iterdir())
    before = {one, two, whole}
    merged = ask("merge", one, two, "--json", cwd=project.root)
    made = Sharded(project.root, (one, two), whole)
    name = new_run(project.root, before)
    assert merged.code == made.record(whole)["exit_code"], merged.err
    assert made.record(name)["verdict"] == made.record(whole)["verdict"]
    judging = [made.record(run)["suites"][0]["judging"] for run in (name, whole)]
    assert judging[0]["judgments"] == judging[1]["judgments"] > 0
    lines = (made.bundle(name) / "judgments.jsonl").read_text().splitlines()
    assert len(lines) == judging[0]["judgments"]


def test_a_stored_run_is_the_baseline_of_every_shard(sharded: Sharded, ask: Ask) -> None:
    before = sharded.runs()
    options = ("run", "-q", *V2, "--baseline", sharded.whole)
    for index in (1, 2):
        assert ask(*options, "--shard", f"{index}/2", cwd=sharded.root).code == 0
    one, two = sorted(sharded.runs() - before)
    # it compares a candidate that failed with itself
    assert ask(*options, cwd=sharded.root).code == 3
    whole = new_run(sharded.root, before | {one, two})
    merged = ask("merge", one, two, "--json", cwd=sharded.root)
    assert merged.code == 3, merged.err
    record = json.loads(merged.out)
    assert record["verdict"] == sharded.record(whole)["verdict"]
    assert record["suites"][0]["totals"] == sharded.record(whole)["suites"][0]["totals"]


def test_shards_are_balanced_by_what_an_earlier_run_took(sharded: Sharded, ask: Ask) -> None:
    before = sharded.runs()
    costs = ["--shard-costs", sharded.whole]
    for index in (1, 2):
        assert ask("run", *V2, "--shard", f"{index}/2", *costs, cwd=sharded.root).code == 0
    one, two = sorted(sharded.runs() - before)
    assert sharded.record(one)["plan"] == sharded.record(two)["plan"]
    merged = ask("merge", one, two, "--json", cwd=sharded.root)
    assert merged.code == 1
    assert json.loads(merged.out)["verdict"] == sharded.record(sharded.whole)["verdict"]


def test_shards_that_were_balanced_by_different_runs_are_not_merged(
    sharded: Sharded, ask: Ask
) -> None:
    before = sharded.runs()
    for index, costs in ((1, sharded.whole), (2, sharded.shards[0])):
        done = ask("run", *V2, "--shard", f"{index}/2", "--shard-costs", costs, cwd=sharded.root)
        assert done.code == 0
    said = refusal(ask("merge", *sorted(sharded.runs() - before), cwd=sharded.root))
    assert "what cases took in the run of --shard-costs" in said


def test_costs_without_a_shard_or_of_no_run_are_refused(sharded: Sharded, ask: Ask) -> None:
    assert ask("run", "--shard-costs", "latest", cwd=sharded.root).code == 2
    said = ask("run", *V2, "--shard", "1/2", "--shard-costs", "nothing", cwd=sharded.root)
    assert said.code == 2
    assert "nothing" in said.err
