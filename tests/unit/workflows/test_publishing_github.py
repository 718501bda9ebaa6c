"""Publishing to GitHub: everything is shown, once, above all when the gate failed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.errors import StoreError, UsageError
from evalkit.report.github.stamp import read_stamp
from evalkit.store.runs import RunStore
from tests.servers.github_server import HEAD, MERGE, REPO, TOKEN
from tests.unit.report.conftest import MakeRun
from tests.unit.workflows.github_desk import (
    Desk,
    Ran,
    Sides,
    make_scored,
    pull_request,
    same,
    store,
    write_last,
)


def test_a_run_that_fails_its_gate_is_shown_everywhere(desk: Desk, ran: Ran) -> None:
    ran()
    published = desk.publish()
    assert (published.exit_code, published.problems, published.notes) == (0, [], [])
    assert [each.partition(":")[0] for each in published.done] == ["summary", "comment", "check"]
    assert "## evalkit: FAIL" in desk.summary
    (comment,) = desk.server.comments
    assert comment["body"].splitlines()[1:3] == ["## evalkit: FAIL", ""]
    assert (
        "Next: [the job](<https://github.test/acme/support-bot/actions/runs/9000000001/"
        in (comment["body"])
    )
    assert "`evalkit fetch --run 9000000001`" in comment["body"]
    (check,) = desk.server.checks
    assert (check["head_sha"], check["conclusion"], check["name"]) == (HEAD, "failure", "evalkit")
    # the first ten errors are the log's (the verdict and nine cases), the others the check's
    assert len(published.commands) == 11
    assert check["output"]["annotations_count"] == 5
    assert published.commands[-1] == "::notice title=evalkit::5 more are in the check 'evalkit'"


def test_a_pass_is_a_green_check(desk: Desk, ran: Ran) -> None:
    ran(same(120))
    published = desk.publish()
    assert published.exit_code == 0
    assert desk.server.checks[0]["conclusion"] == "success"
    assert published.commands == []


def test_the_comment_is_updated_in_place(desk: Desk, ran: Ran) -> None:
    ran(same(120), id="20261124T193301Z-0001")
    desk.publish()
    ran(id="20261124T193301Z-0002")
    desk.environ["GITHUB_RUN_ID"] = "9000000002"
    published = desk.publish()
    (comment,) = desk.server.comments
    assert "evalkit: FAIL" in comment["body"]
    assert any(each.startswith("comment: updated: ") for each in published.done)
    assert [check["conclusion"] for check in desk.server.checks] == ["success", "failure"]


def test_publishing_again_changes_nothing(desk: Desk, ran: Ran) -> None:
    ran()
    desk.publish()
    before = [dict(each) for each in (*desk.server.comments, *desk.server.checks)]
    desk.server.seen.clear()
    published = desk.publish()
    assert published.exit_code == 0
    assert [*desk.server.comments, *desk.server.checks] == before
    assert set(desk.server.names()) == {"comments", "checks"}


def test_an_older_job_that_ends_later_does_not_overwrite_a_newer_one(desk: Desk, ran: Ran) -> None:
    ran(same(120), id="20261124T193301Z-0001")
    desk.environ["GITHUB_RUN_ID"] = "9000000002"
    desk.publish()
    ran(id="20261124T193301Z-0002")
    desk.environ["GITHUB_RUN_ID"] = "9000000001"
    published = desk.publish()
    assert published.exit_code == 0
    assert "evalkit: PASS" in desk.server.comments[0]["body"]
    assert len(desk.server.checks) == 1
    assert sum("left as it is, as it shows the newer run" in each for each in published.done) == 2
    assert "evalkit: FAIL" in desk.summary  # its own page is its own


def test_the_comment_is_found_behind_hundreds_of_others(desk: Desk, ran: Ran) -> None:
    ran()
    for number in range(150):
        desk.server.say(f"comment {number}")
    desk.publish()
    for number in range(120):
        desk.server.say(f"later {number}")
    ran(id="20261124T193301Z-0002")
    desk.publish()
    assert sum(each["body"].startswith("<!-- evalkit:") for each in desk.server.comments) == 1
    assert (
        desk.server.names().count("comments") == 2 + 2 + 3
    )  # pages: to look, to see it made, to find it


def test_a_comment_of_somebody_else_with_our_marker_is_left_alone(desk: Desk, ran: Ran) -> None:
    ran()
    forged = (
        "<!-- evalkit:root run=x at=2099-01-01T00:00:00+00:00 ci=99999999999/1 suites=none exit=0 "
        "-->\nPASS"
    )
    desk.server.say(forged)
    desk.publish()
    assert [each["body"] == forged for each in desk.server.comments] == [True, False]


def test_with_a_persons_token_the_comment_is_that_persons(desk: Desk, ran: Ran) -> None:
    ran()
    desk.environ["GITHUB_TOKEN"] = desk.server.token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    desk.server.login = "ada"
    marker = "<!-- evalkit:root run=x at=2020-01-01T00:00:00+00:00 ci=1/1 suites=none exit=0 -->\n"
    theirs = desk.server.say(marker, login="other[bot]", kind="Bot")
    desk.publish()
    desk.publish()
    assert "user" in desk.server.names()
    assert [each["user"]["login"] for each in desk.server.comments] == ["other[bot]", "ada"]
    assert next(each for each in desk.server.comments if each["id"] == theirs)["body"] == marker


def test_projects_of_one_repository_have_their_own_comments(desk: Desk, ran: Ran) -> None:
    ran()
    desk.publish()
    desk.publish(key="services/bot")
    keys = [read_stamp(each["body"]).key for each in desk.server.comments]  # type: ignore[union-attr]
    assert keys == ["root", "services/bot"]
    assert [each["name"] for each in desk.server.checks] == ["evalkit", "evalkit (services/bot)"]
    assert "## evalkit (services/bot): FAIL" in desk.server.comments[1]["body"]


def test_a_project_in_a_folder_is_named_by_it(desk: Desk, ran: Ran) -> None:
    desk.environ["GITHUB_WORKSPACE"] = str(desk.root)
    desk.root = desk.root / "services/bot"
    desk.root.mkdir(parents=True)
    ran()
    published = desk.publish()
    assert read_stamp(desk.server.comments[0]["body"]).key == "services/bot"  # type: ignore[union-attr]
    assert "file=services/bot/goldensets/routing/v1/cases.jsonl,line=1," in published.commands[1]
    paths = {each["path"] for each in desk.server.checks[0]["output"]["annotations"]}
    assert paths == {"services/bot/goldensets/routing/v1/cases.jsonl"}


def other_suite(desk: Desk, make_run: MakeRun, results: Sides) -> None:
    stored = make_scored(make_run, results, suite="triage", id="20261124T193301Z-0009")
    store(desk.root, stored)
    write_last(desk.root, run=stored.record.id, exit_code=stored.record.exit_code)


def test_two_jobs_under_one_key_never_hide_a_failure_behind_a_pass(
    desk: Desk, ran: Ran, make_run: MakeRun
) -> None:
    ran()
    desk.publish()
    other_suite(desk, make_run, same(120))
    published = desk.publish()
    assert published.exit_code == 2
    assert [str(each).partition("give each job")[1] for each in published.problems] == [
        "give each job",
        "give each job",
    ]
    assert "evalkit: FAIL" in desk.server.comments[0]["body"]
    assert [each["conclusion"] for each in desk.server.checks] == ["failure"]


def test_a_pass_of_the_same_suites_in_another_job_replaces_no_failure(desk: Desk, ran: Ran) -> None:
    ran(id="20261124T193301Z-0001")
    desk.publish()
    ran(same(120), id="20261124T193301Z-0002")
    published = desk.publish()
    assert published.exit_code == 2
    assert "published run 20261124T193301Z-0001 (exit 1)" in str(published.problems[0])
    assert "evalkit: FAIL" in desk.server.comments[0]["body"]
    assert [each["conclusion"] for each in desk.server.checks] == ["failure"]


def test_a_failure_replaces_the_pass_of_another_job_under_its_key(
    desk: Desk, ran: Ran, make_run: MakeRun, regressed: Sides
) -> None:
    ran(same(120))
    desk.publish()
    other_suite(desk, make_run, regressed)
    assert desk.publish().exit_code == 0
    assert "evalkit: FAIL" in desk.server.comments[0]["body"]
    assert desk.server.checks[-1]["conclusion"] == "failure"


# --- what cannot be published ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ("make comment", "`pull-requests: write`"),
        ("comments", "`pull-requests: write`"),
    ],
)
def test_a_missing_permission_is_named_and_keeps_nothing_else_from_being_published(
    desk: Desk, ran: Ran, shape: str, says: str
) -> None:
    ran()
    desk.server.script(f"{shape}=forbidden")
    published = desk.publish()
    assert published.exit_code == 4
    (problem,) = published.problems
    assert says in str(problem)
    assert "Resource not accessible by integration" in str(problem)
    assert "it would take pull_requests=write" in str(problem)
    assert "evalkit: FAIL" in desk.summary
    assert len(desk.server.checks) == 1
    assert published.commands


@pytest.mark.parametrize("shape", ["checks", "make check"])
def test_without_checks_permission_a_commit_status_is_set(desk: Desk, ran: Ran, shape: str) -> None:
    ran()
    desk.server.script(f"{shape}=forbidden")
    published = desk.publish()
    assert published.exit_code == 0
    assert "`checks: write`" in published.notes[0]
    (status,) = desk.server.statuses
    assert (status["state"], status["context"]) == ("failure", "evalkit")
    assert status["target_url"].endswith("/actions/runs/9000000001/attempts/1")
    assert desk.server.seen[-1].path.endswith(f"/statuses/{HEAD}")


def test_without_both_permissions_both_are_named(desk: Desk, ran: Ran) -> None:
    ran()
    desk.server.script("make check=forbidden", "make status=forbidden")
    published = desk.publish()
    assert published.exit_code == 4
    assert "`statuses: write`" in str(published.problems[0])
    assert "`checks: write`" in published.notes[0]


def test_a_forks_token_that_cannot_write_is_no_problem(desk: Desk, ran: Ran) -> None:
    ran()
    desk.event(number=7, pull_request=pull_request(head_repo="stranger/support-bot"))
    desk.server.decide = lambda name: "forbidden" if name.startswith("make") else None
    published = desk.publish()
    assert published.exit_code == 0
    assert [note.partition(":")[0] for note in published.notes] == ["no comment", "no check"]
    assert "The change comes from a fork" in desk.summary
    assert published.commands
    assert "make status" not in desk.server.names()


def test_a_fork_that_was_deleted_is_a_fork(desk: Desk, ran: Ran) -> None:
    ran()
    desk.event(number=7, pull_request=pull_request(head_repo=None))
    desk.publish()
    assert "The change comes from a fork" in desk.server.comments[0]["body"]


def test_what_a_fork_could_not_measure_is_a_neutral_check(desk: Desk) -> None:
    write_last(
        desk.root,
        kind="not_measured",
        exit_code=2,
        message="prompt ask@v3 has no recordings",
        settle="record it",
    )
    desk.event(number=7, pull_request=pull_request(head_repo="stranger/support-bot"))
    published = desk.publish(live_run="Ask for the label `live`.")
    assert published.exit_code == 0
    assert desk.server.checks[0]["conclusion"] == "neutral"
    body = desk.server.comments[0]["body"]
    assert "## evalkit: NOT MEASURED" in body
    assert "> prompt `ask@v3` has no recordings" in body
    assert "Ask for the label `live`." in body


def test_a_project_with_errors_fails_its_check_and_lists_them(desk: Desk) -> None:
    problems = ("evalkit.yaml:3:1: suites: unknown key",)
    write_last(desk.root, kind="config", exit_code=2, message=problems[0], problems=problems)
    published = desk.publish()
    assert published.exit_code == 0
    assert desk.server.checks[0]["conclusion"] == "failure"
    assert problems[0] in desk.server.comments[0]["body"]
    assert published.commands[1].startswith("::error file=evalkit.yaml,line=3,")


def test_an_api_that_is_down_leaves_summary_and_annotations(desk: Desk, ran: Ran) -> None:
    ran()
    desk.environ["GITHUB_API_URL"] = "http://127.0.0.1:1"
    published = desk.publish()
    assert published.exit_code == 4
    assert len(published.problems) == 2
    assert "127.0.0.1:1: no connection" in str(published.problems[0])
    assert "evalkit: FAIL" in desk.summary
    assert published.commands
    assert desk.clock.passed_s == 14  # 1 + 2 + 4 s, twice


def test_the_token_is_in_no_message(desk: Desk, ran: Ran) -> None:
    ran()
    desk.server.decide = lambda name: "unauthorized"
    published = desk.publish()
    assert published.exit_code == 4
    for problem in published.problems:
        assert "the token is not accepted (Bad credentials ***)" in str(problem)
    assert TOKEN not in repr(published)


def test_without_a_token_the_summary_is_written_and_the_rest_is_a_problem(
    desk: Desk, ran: Ran
) -> None:
    ran()
    del desk.environ["GITHUB_TOKEN"]
    published = desk.publish()
    assert published.exit_code == 2
    assert "GITHUB_TOKEN" in str(published.problems[0])
    assert "evalkit: FAIL" in desk.summary
    assert desk.server.seen == []
    assert desk.publish(comment=False, check="none").exit_code == 0


# --- losses on the way ----------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["lost", "lost_502", "broken"])
@pytest.mark.parametrize("shape", ["make comment", "update comment", "make check", "update check"])
def test_a_reply_that_is_lost_makes_nothing_twice(
    desk: Desk, make_run: MakeRun, ran: Ran, act: str, shape: str
) -> None:
    results: Sides = {f"c{number:03}": ((True,), (number > 130,)) for number in range(300)}
    if shape == "update comment":
        ran(same(120), id="20261124T193301Z-0001")
        desk.publish(check="none")
        desk.environ["GITHUB_RUN_ID"] = "9000000002"
    ran(results, id="20261124T193301Z-0002")
    desk.server.script(f"{shape}={act}")
    published = desk.publish()
    assert (published.exit_code, published.problems) == (0, [])
    (comment,) = desk.server.comments
    assert "evalkit: FAIL" in comment["body"]
    (check,) = desk.server.checks
    lines = [each["start_line"] for each in check["output"]["annotations"]]
    assert lines == list(range(10, 132))


def test_jobs_that_publish_at_once_leave_one_comment_of_the_newest(desk: Desk, ran: Ran) -> None:
    ran(id="20261124T193301Z-0001")
    other = desk.server.comments
    theirs = (
        "<!-- evalkit:root run=theirs at=2026-11-24T19:33:01+00:00 ci={}/1 suites=none exit=1 -->"
    )

    def other_job_is_quicker(name: str) -> None:
        if name == "make comment" and not other:
            desk.server.say(theirs.format(1), login="github-actions[bot]", kind="Bot")

    desk.server.before = other_job_is_quicker
    assert desk.publish(check="none").exit_code == 0
    (comment,) = desk.server.comments
    assert read_stamp(comment["body"]).run == "20261124T193301Z-0001"  # type: ignore[union-attr]


def test_of_jobs_that_publish_at_once_the_older_withdraws(desk: Desk, ran: Ran) -> None:
    ran(id="20261124T193301Z-0001")
    theirs = (
        "<!-- evalkit:root run=theirs at=2026-11-24T19:33:01+00:00 ci=9999999999/1 suites=none "
        "exit=1 -->"
    )

    def newer_job_is_quicker(name: str) -> None:
        if name == "make comment" and not desk.server.comments:
            desk.server.say(theirs, login="github-actions[bot]", kind="Bot")

    desk.server.before = newer_job_is_quicker
    published = desk.publish(check="none")
    assert published.exit_code == 0
    assert [each["body"] for each in desk.server.comments] == [theirs]


def test_a_list_that_lags_behind_makes_no_second_comment(desk: Desk, ran: Ran) -> None:
    ran()
    desk.server.hide_comments = True
    published = desk.publish(check="none")
    assert published.exit_code == 0
    assert len(desk.server.comments) == 1
    assert published.done[-1] == f"comment: made: {desk.server.comments[0]['html_url']}"


def test_a_comment_that_is_deleted_meanwhile_is_made_again(desk: Desk, ran: Ran) -> None:
    ran(same(120), id="20261124T193301Z-0001")
    desk.publish(check="none")
    ran(id="20261124T193301Z-0002")
    desk.server.before = lambda name: (
        desk.server.comments.clear() if name == "update comment" else None
    )
    assert desk.publish(check="none").exit_code == 0
    assert "evalkit: FAIL" in desk.server.comments[0]["body"]


@pytest.mark.parametrize(
    ("act", "waited_s"),
    [
        ("rate_limit:17", 17.0),
        ("spent:1764072031", 32.0),  # 31 s after the clock's 12:00 UTC on that day
        ("secondary", 60.0),
    ],
)
def test_rate_limits_are_waited_for(desk: Desk, ran: Ran, act: str, waited_s: float) -> None:
    if act.startswith("spent"):
        act = f"spent:{int(desk.clock.now().timestamp()) + 31}"
    ran()
    desk.server.script(f"make comment={act}")
    published = desk.publish()
    assert (published.exit_code, published.notes) == (0, [])
    assert desk.clock.passed_s == waited_s
    assert len(desk.server.comments) == 1


def test_a_wait_without_end_is_given_up(desk: Desk, ran: Ran) -> None:
    ran()
    desk.server.script("make comment=rate_limit:3600")
    published = desk.publish()
    assert published.exit_code == 4
    assert "asks to wait 3600 s" in str(published.problems[0])
    assert desk.clock.passed_s == 0
    assert len(desk.server.checks) == 1


@pytest.mark.parametrize(
    ("act", "says"),
    [
        ("moved", "it has moved to /repositories/42/issues; no token is sent after it"),
        ("missing", "not there, or the token may not see it (Not Found)"),
        ("not_json", "with something that is no JSON"),
        ("other_json", "in another form than it describes"),
    ],
)
def test_what_github_says_is_told(desk: Desk, ran: Ran, act: str, says: str) -> None:
    ran()
    desk.server.script(f"comments={act}")
    published = desk.publish(check="none")
    assert published.exit_code == 4
    assert says in str(published.problems[0])


# --- which run, which commit ----------------------------------------------------------------------


def test_a_run_of_the_commit_that_ci_tests_is_shown_on_the_pull_requests_own(
    desk: Desk, ran: Ran, make_run: MakeRun
) -> None:
    run = ran()
    record = replace(run.record, git=replace(run.record.git, sha=MERGE))
    RunStore(desk.root).open(run.record.id).write_record(record)
    assert desk.publish().exit_code == 0
    assert desk.server.checks[0]["head_sha"] == HEAD


def test_a_run_of_another_commit_is_not_shown_as_this_ones(desk: Desk, ran: Ran) -> None:
    run = ran(same(120))
    record = replace(run.record, git=replace(run.record.git, sha="cd" * 20))
    RunStore(desk.root).open(run.record.id).write_record(record)
    with pytest.raises(UsageError, match="is of commit cdcdcdcdcdcd"):
        desk.publish()
    assert (desk.server.seen, desk.summary) == ([], "")
    assert desk.publish(other_commit=True).exit_code == 0


def test_a_run_that_was_killed_is_not_hidden_by_the_one_before_it(desk: Desk, ran: Ran) -> None:
    ran(same(120), id="20261124T193301Z-0001")
    run = ran(same(120), id="20261124T193401Z-0002")
    started = replace(
        run.record,
        state="running",
        started_at="2026-11-24T19:34:01+00:00",
        verdict=None,
        exit_code=4,
    )
    RunStore(desk.root).open(run.record.id).write_record(started)
    write_last(desk.root, run="20261124T193301Z-0001", exit_code=0)
    assert desk.publish().exit_code == 0
    assert desk.server.checks[0]["conclusion"] == "cancelled"
    assert "## evalkit: RUNNING" in desk.server.comments[0]["body"]


def test_a_run_that_was_killed_before_any_other_ended_is_shown_as_that(
    desk: Desk, ran: Ran
) -> None:
    run = ran(same(120))
    (desk.root / ".evalkit/last.json").unlink()
    with pytest.raises(UsageError):
        desk.publish()
    started = replace(run.record, state="running", verdict=None, exit_code=4)
    RunStore(desk.root).open(run.record.id).write_record(started)
    desk.publish()
    assert desk.server.checks[0]["conclusion"] == "cancelled"


def test_a_commit_that_the_pull_request_left_behind_is_said_to_be_old(desk: Desk, ran: Ran) -> None:
    run = ran(same(120))
    old = "cd" * 20
    record = replace(run.record, git=replace(run.record.git, sha=old))
    RunStore(desk.root).open(run.record.id).write_record(record)
    desk.event(inputs={})
    assert desk.publish(pr=7, sha=old).exit_code == 0
    body = desk.server.comments[0]["body"]
    assert f"at `{HEAD[:12]}` by now, and this is about `{old[:12]}` alone." in body
    assert desk.server.checks[0]["head_sha"] == old


def test_nothing_to_publish_says_what_to_do(desk: Desk) -> None:
    with pytest.raises(UsageError, match=r"last\.json is missing"):
        desk.publish()


def test_a_damaged_last_run_is_said_so(desk: Desk) -> None:
    write_last(desk.root)
    (desk.root / ".evalkit/last.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        desk.publish()


def test_a_run_can_be_named(desk: Desk, ran: Ran) -> None:
    ran(same(120), id="20261124T193301Z-0001")
    ran(id="20261124T193301Z-0002")
    desk.publish("20261124T193301Z-0001")
    assert desk.server.checks[0]["conclusion"] == "success"


@pytest.mark.parametrize("merge", [True, False])
def test_a_pull_request_that_is_named_is_asked_for_its_head(
    desk: Desk, ran: Ran, merge: bool
) -> None:
    run = ran()
    if merge:
        record = replace(run.record, git=replace(run.record.git, sha=MERGE))
        RunStore(desk.root).open(run.record.id).write_record(record)
    desk.event(inputs={"pr": "7"})
    desk.environ |= {"GITHUB_EVENT_NAME": "workflow_dispatch", "GITHUB_SHA": "ef" * 20}
    desk.server.head_repo = "stranger/support-bot"
    assert desk.publish(pr=7).exit_code == 0
    assert desk.server.checks[0]["head_sha"] == HEAD
    assert "The change comes from a fork" in desk.server.comments[0]["body"]


def test_from_any_ci_flags_say_it_all(desk: Desk, ran: Ran) -> None:
    ran()
    desk.environ = {"MY_TOKEN": TOKEN}
    published = desk.publish(
        repo=REPO, pr=7, sha=HEAD, api_url=desk.server.url, token_env="MY_TOKEN"
    )
    assert published.exit_code == 0
    assert published.commands == []  # no runner would read them
    assert desk.server.checks[0]["output"]["annotations_count"] == 14
    assert "details_url" not in json.dumps(desk.server.seen[-1].body)
    assert len(desk.server.comments) == 1


def test_a_push_gets_a_check_and_no_comment(desk: Desk, ran: Ran) -> None:
    ran()
    desk.event(after=HEAD)
    desk.environ |= {"GITHUB_EVENT_NAME": "push", "GITHUB_SHA": HEAD}
    published = desk.publish()
    assert published.exit_code == 0
    assert published.notes == ["no comment: this is about no pull request (--pr names one)"]
    assert desk.server.names() == ["checks", "make check"]


# --- the summary, and what is printed -------------------------------------------------------------


def test_the_summary_is_appended_and_stays_under_a_mebibyte(desk: Desk, ran: Ran) -> None:
    ran()
    path = desk.root / "summary.md"
    path.write_text("before\n" * 148_300)  # 1,038,100 bytes
    desk.publish(comment=False, check="none")
    assert desk.summary.startswith("before\n")
    assert "evalkit: FAIL" in desk.summary
    assert path.stat().st_size <= 1024 * 1024
    published = desk.publish(comment=False, check="none")
    assert published.notes == ["the job's summary is full already, so nothing was added to it"]


def test_a_summary_that_cannot_be_written_is_a_problem_of_its_own(desk: Desk, ran: Ran) -> None:
    ran()
    desk.environ["GITHUB_STEP_SUMMARY"] = str(desk.root / "no/such/folder/summary.md")
    published = desk.publish()
    assert published.exit_code == 4
    assert len(desk.server.comments) == len(desk.server.checks) == 1


def test_a_dry_run_sends_nothing_and_shows_everything(desk: Desk, ran: Ran) -> None:
    ran()
    published = desk.publish(dry_run=True)
    assert published.exit_code == 0
    assert desk.server.seen == []
    assert desk.summary == ""
    assert published.summary is not None and "evalkit: FAIL" in published.summary
    assert published.requests is not None
    made = [
        (each["method"], each["url"].removeprefix(desk.server.url)) for each in published.requests
    ]
    assert made == [
        ("GET", f"/repos/{REPO}/issues/7/comments?per_page=100&page=1"),
        ("POST", f"/repos/{REPO}/issues/7/comments"),
        ("GET", f"/repos/{REPO}/issues/7/comments?per_page=100&page=1"),
        ("GET", f"/repos/{REPO}/commits/{HEAD}/check-runs?check_name=evalkit&per_page=100&page=1"),
        ("POST", f"/repos/{REPO}/check-runs"),
    ]
    assert TOKEN not in json.dumps(published.requests)


def test_a_dry_run_needs_no_token(desk: Desk, ran: Ran) -> None:
    ran()
    desk.environ = {}
    published = desk.publish(repo=REPO, pr=7, dry_run=True)
    assert published.exit_code == 0
    assert published.requests is not None
    assert published.requests[-1]["body"]["head_sha"] == "0" * 40


@pytest.mark.parametrize("kind", ["check", "status"])
def test_parts_can_be_left_out(desk: Desk, ran: Ran, kind: Any) -> None:
    ran()
    published = desk.publish(comment=False, summary=False, annotations=False, check=kind)
    assert published.exit_code == 0
    assert (published.commands, desk.summary, desk.server.comments) == ([], "", [])
    assert len(desk.server.checks) == (kind == "check")
    assert len(desk.server.statuses) == (kind == "status")


def statuses_of(desk: Desk) -> list[str]:
    return [each["state"] for each in desk.server.statuses]


def test_a_status_of_an_older_job_or_of_another_one_turns_nothing_green(
    desk: Desk, ran: Ran
) -> None:
    run: Mapping[str, Any] = {"comment": False, "check": "status"}
    ran()
    desk.publish(**run)
    ran(same(120), id="20261124T193301Z-0002")
    published = desk.publish(**run)
    assert published.exit_code == 2
    assert "would turn it green" in str(published.problems[0])
    desk.environ["GITHUB_RUN_ID"] = "8999999999"
    assert "newer run" in desk.publish(**run).done[-1]
    assert statuses_of(desk) == ["failure"]
    desk.environ["GITHUB_RUN_ID"] = "9000000002"
    assert desk.publish(**run).exit_code == 0
    assert statuses_of(desk) == ["failure", "success"]
