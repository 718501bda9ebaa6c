"""`evalkit trace`, `audit` and `prune`, over what real sessions and runs left behind."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from evalkit import Identity, Project
from evalkit.errors import BudgetExhausted, PolicyBlocked
from evalkit.records.approval import ApprovalAsked
from evalkit.records.asset import Tool
from evalkit.records.call import Message, ToolCall
from evalkit.records.case import Document
from evalkit.store.approvals import ApprovalStore
from evalkit.store.audit import AuditFile
from tests.cli.conftest import Ask, Evalkit
from tests.cli.project import ProjectFiles
from tests.servers.openai_server import OpenAIServer

ADA = "ada.lovelace@example.org"
CARD = "4111 1111 1111 1111"
KEY = "sk-ant-api03-" + "a1B2" * 22
SAID = f"my card is {CARD}, my key {KEY}, write to {ADA}"
LOOKUP = Tool(name="lookup", effect="read", description="Look.", parameters={"type": "object"})
PAY = Tool(name="pay", effect="execute", description="Pay.", parameters={"type": "object"})


@pytest.fixture(scope="module")
def produced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which two people had sessions: one was denied something."""
    root = tmp_path_factory.mktemp("produced") / "project"
    server = OpenAIServer().start()
    files = ProjectFiles(root, cases=2)
    files.config["providers"]["own"] = {"kind": "openai", "base_url": server.url}
    files.config["models"]["served"] = {"provider": "own", "id": "served-1"}
    files.config["telemetry"] = {"content": "redacted"}
    files.config["routes"].append(
        {
            "name": "help",
            "models": {"primary": "served"},
            "approvals": {"on_execute": "ops"},
            "use": "evaluation",
        }
    )
    files.write()
    project = Project.load(root)

    async def work() -> None:
        async with project.session(
            "help",
            Identity(user=ADA, team="support"),
            documents=[Document(id=f"of {ADA}", index="kb", text=SAID)],
            prompt="ask@v2",
            conversation=f"c-7 of {ADA}",
        ) as session:
            await session.retrieve("kb", SAID)
            await session.complete([Message(role="user", content=SAID)], tools=[LOOKUP, PAY])
            call = ToolCall(name="lookup", arguments={SAID: SAID}, id=ADA)
            session.authorize(call)
            session.tool_result(call, {"found": SAID}, error=f"no {KEY}")
            with pytest.raises(PolicyBlocked):
                session.authorize(ToolCall(name="pay", arguments={"to": SAID}, id="1"))
            with pytest.raises(PolicyBlocked):
                session.authorize(ToolCall(name=f"tell {ADA}", arguments={}, id="2"))
        async with project.session("help", Identity(user="bob")) as session:
            await session.complete([Message(role="user", content="hello")])

    asyncio.run(work())
    project.close()
    server.stop()
    yield root


def listed(ask: Ask, root: Path, *arguments: str) -> list[dict[str, Any]]:
    said = ask("trace", "list", *arguments, "--json", cwd=root)
    assert (said.code, said.err) == (0, "")
    traces: list[dict[str, Any]] = json.loads(said.out)["traces"]
    return traces


def test_sessions_are_found_by_the_real_name_of_their_user(ask: Ask, produced: Path) -> None:
    assert len(listed(ask, produced)) == 2
    (ada,) = listed(ask, produced, "--user", ADA, "--since", "1h", "--route", "help")
    assert (ada["denied"], ada["calls"], ada["use"]) == (2, 1, "evaluation")
    assert ada["user"].startswith("u-")
    assert listed(ask, produced, "--user", ada["user"]) == [ada]
    assert listed(ask, produced, "--team", "support") == [ada]
    assert listed(ask, produced, "--user", "nobody") == []
    assert listed(ask, produced, "--since", "2099-01-01") == []
    assert listed(ask, produced, "--limit", "1")[0]["user"] != ada["user"]


def test_a_session_is_shown_step_by_step(ask: Ask, produced: Path) -> None:
    (ada,) = listed(ask, produced, "--user", ADA)
    said = ask("trace", "show", ada["trace_id"][:10], cwd=produced)
    assert (said.code, said.err) == (0, "")
    assert "1. Looked up documents in kb" in said.out
    assert "2. Asked the model served" in said.out
    assert "3. Called the tool lookup: failed" in said.out
    assert "4. Wanted to call the tool pay: denied by approvals.on_execute" in said.out
    assert "my card is [CARD_" in said.out
    assert "ask@v2" in said.out
    assert "c-7" in said.out
    assert ADA not in said.out
    whole = json.loads(ask("trace", "show", ada["trace_id"], "--json", cwd=produced).out)
    assert whole["schema"] == "evalkit.session_trace/1"
    assert [span["operation"] for span in whole["spans"]] == [
        "invoke_workflow",
        "retrieval",
        "chat",
        *["execute_tool"] * 3,
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("trace", "show", "zzzz"), "no id of a trace"),
        (("trace", "show", "ab"), "no id of a trace"),
        (("trace", "show", "0123456789"), "there is no trace"),
        (("trace", "list", "--since", "yesterday-ish"), "is no time"),
        (("trace", "list", "--since", "99999999w"), "is no time"),
        (("trace", "list", "--limit", "0"), "--limit"),
        (("audit", "show", "--since", "2026-13-01"), "is no time"),
        (("audit", "verify", "nowhere.jsonl"), "there is no file"),
        (("prune", "--older-than", "a while"), "is no age"),
        (("prune", "--kind", "runes", "--older-than", "1d"), "there is no kind 'runes'"),
        (("prune",), "nothing says how long to keep"),
    ],
)
def test_what_cannot_be_meant_is_2_and_says_why(
    ask: Ask, produced: Path, arguments: tuple[str, ...], says: str
) -> None:
    said = ask(*arguments, cwd=produced)
    assert (said.code, said.out) == (2, "")
    assert says in said.err


def test_denials_are_audited_under_the_real_name_and_about_nobody_else(
    ask: Ask, produced: Path
) -> None:
    said = ask("audit", "show", "--json", cwd=produced)
    entries = json.loads(said.out)["entries"]
    assert [entry["kind"] for entry in entries] == [
        "policy.in_force",
        "policy.denied",
        "policy.denied",
    ]
    assert entries[1]["actor"] == {"user": ADA, "team": "support"}
    assert entries[1]["about"]["rule"] == "approvals.on_execute"
    text = ask("audit", "show", "--kind", "policy.denied", "--actor", ADA, cwd=produced).out
    assert ADA in text
    assert "policy.in_force" not in text
    assert (
        len(json.loads(ask("audit", "show", "--kind", "policy", "--json", cwd=produced).out)) == 2
    )
    assert "No entry" in ask("audit", "show", "--actor", "bob", cwd=produced).out


def test_approvals_that_are_used_and_budgets_that_are_exhausted_are_audited(
    ask: Ask, tmp_path: Path
) -> None:
    server = OpenAIServer().start()
    files = ProjectFiles(tmp_path / "project", cases=2)
    files.config["providers"]["own"] = {"kind": "openai", "base_url": server.url}
    files.config["models"]["served"] = {"provider": "own", "id": "served-1"}
    files.config["budgets"] = [{"scope": "user", "max_tokens": 10_000, "window": "day"}]
    files.config["routes"].append(
        {
            "name": "help",
            "models": {"primary": "served"},
            "max_tokens": 9_000,
            "approvals": {"on_execute": "ops"},
        }
    )
    root = files.write().root
    project = Project.load(root)

    async def work() -> None:
        given = {"pay": {"granted_by": "eve", "team": "ops"}}
        async with project.session("help", Identity(user=ADA), approvals=given) as session:
            hello = Message(role="user", content="hello")
            await session.complete([hello], tools=[PAY])
            session.authorize(ToolCall(name="pay", arguments={}, id="1"))
            with pytest.raises(BudgetExhausted):
                for _ in range(500):
                    await session.complete([Message(role="user", content="hello " * 500)])

    asyncio.run(work())
    server.stop()
    entries = json.loads(ask("audit", "show", "--actor", ADA, "--json", cwd=root).out)["entries"]
    assert [each["kind"] for each in entries] == ["approval.used", "budget.exhausted"]
    assert "approved by ops" in entries[0]["about"]["message"]
    (trace,) = listed(ask, root)
    shown = ask("trace", "show", trace["trace_id"], cwd=root).out
    assert "failed, budgets.user" in shown


def test_the_trace_of_an_approved_call_names_the_team_and_the_audit_log_the_person(
    ask: Ask, tmp_path: Path
) -> None:
    server = OpenAIServer().start()
    files = ProjectFiles(tmp_path / "project", cases=2)
    files.config["providers"]["own"] = {"kind": "openai", "base_url": server.url}
    files.config["models"]["served"] = {"provider": "own", "id": "served-1"}
    files.config["routes"].append(
        {"name": "help", "models": {"primary": "served"}, "approvals": {"on_execute": "ops"}}
    )
    root = files.write().root
    project = Project.load(root)
    pay = ToolCall(name="pay", arguments={}, id="1")

    async def ask_to_pay() -> str | None:
        async with project.session("help", Identity(user=ADA)) as session:
            await session.complete([Message(role="user", content="hello")], tools=[PAY])
            try:
                session.authorize(pay)
            except PolicyBlocked as blocked:
                return str(blocked.approval)
            return None

    waits = asyncio.run(ask_to_pay())
    assert waits is not None
    grant = ("approvals", "grant", waits, "--as", "eve-of-ops", "--team", "ops")
    assert ask(*grant, cwd=root).code == 0
    assert asyncio.run(ask_to_pay()) is None
    server.stop()
    entries = json.loads(ask("audit", "show", "--json", cwd=root).out)["entries"]
    kinds = [each["kind"] for each in entries]
    assert kinds == ["policy.in_force", "policy.denied", "approval.granted", "approval.used"]
    assert entries[2]["actor"]["user"] == "eve-of-ops"
    assert entries[3]["actor"] == {"user": ADA}
    assert entries[3]["about"]["approval"] == entries[2]["about"]["approval"] == waits
    for day in (root / ".evalkit/traces").glob("*.jsonl"):
        assert "eve-of-ops" not in day.read_text()


def test_nothing_but_an_actor_in_the_audit_log_tells_who_it_was(produced: Path) -> None:
    for path in (produced / ".evalkit").rglob("*"):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.name == "log.jsonl":
            entries = [json.loads(line) for line in content.splitlines()]
            assert any(entry["actor"].get("user") == ADA for entry in entries)
            content = json.dumps([entry["about"] for entry in entries]).encode()
        for secret in (ADA, CARD, KEY, CARD.replace(" ", "")):
            assert secret.encode() not in content, (path, secret)


def test_an_audit_log_is_verified_exported_and_its_first_bad_line_named(
    ask: Ask, produced: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(produced, root)
    good = ask("audit", "verify", cwd=root)
    assert (good.code, good.err) == (0, "")
    assert good.out.startswith("The audit log holds: 3 entries")
    exported = ask("audit", "export", "out.jsonl", cwd=root)
    assert (exported.code, exported.out) == (0, "")
    assert ask("audit", "export", "out.jsonl", cwd=root).code == 2
    assert ask("audit", "verify", "out.jsonl", cwd=root).code == 0
    anywhere = tmp_path / "elsewhere"
    anywhere.mkdir()
    assert ask("audit", "verify", str(root / "out.jsonl"), cwd=anywhere).code == 0
    log = root / ".evalkit/audit/log.jsonl"
    log.write_bytes(log.read_bytes().replace(b"approvals.on_execute", b"approvals.on_executf"))
    bad = ask("audit", "verify", cwd=root)
    assert bad.code == 2
    assert "does not hold: line 2" in bad.out
    as_json = json.loads(ask("audit", "verify", "--json", cwd=root).out)
    assert (as_json["holds"], as_json["line"]) == (False, 2)


def test_with_a_key_an_unsigned_log_does_not_hold(evalkit: Evalkit, produced: Path) -> None:
    done = evalkit("audit", "verify", cwd=produced, environ={"EVALKIT_AUDIT_KEY": "k"})
    assert done.returncode == 2
    assert "not signed with EVALKIT_AUDIT_KEY" in done.stdout


def test_output_fits_a_narrow_terminal_and_a_reader_may_go_away(
    evalkit: Evalkit, produced: Path
) -> None:
    for verb in (("trace", "list"), ("audit", "verify")):
        done = evalkit(*verb, cwd=produced, environ={"COLUMNS": "60", "FORCE_COLOR": "1"})
        assert done.returncode == 0
        assert "\x1b" not in done.stdout  # NO_COLOR wins
        assert max(cell_len(line) for line in done.stdout.splitlines()) <= 80
    piped = subprocess.run(
        f"{sys.executable} -m evalkit audit show | head -1; exit ${{PIPESTATUS[0]}}",
        shell=True,
        executable="/bin/bash",
        cwd=produced,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (piped.returncode, piped.stderr) == (0, "")


def test_a_project_without_sessions_says_so(ask: Ask, tmp_path: Path) -> None:
    root = ProjectFiles(tmp_path / "fresh", cases=2).write().root
    assert ask("trace", "list", cwd=root).out == "No stored session fits.\n"
    assert ask("audit", "show", cwd=root).out == "No entry of the audit log fits.\n"
    assert ask("audit", "verify", cwd=root).out == "The audit log is empty.\n"
    assert not (root / ".evalkit/audit").exists()


def test_broken_lines_of_traces_are_told_and_the_rest_is_shown(
    ask: Ask, produced: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(produced, root)
    (day,) = (root / ".evalkit/traces").glob("*.jsonl")
    day.write_bytes(b"\xff\n" + day.read_bytes() + b'{"torn')
    said = ask("trace", "list", "--json", cwd=root)
    assert said.code == 0
    assert len(json.loads(said.out)["traces"]) == 2
    assert "1 damaged line" in said.err


def test_a_session_goes_on_where_nothing_can_be_written_and_it_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = ProjectFiles(tmp_path / "project", cases=2)
    files.config["routes"][0]["retrieval"] = {"allow_indexes": []}
    root = files.write().root
    (root / ".evalkit").mkdir()
    for name in ("traces", "audit"):
        (root / ".evalkit" / name).write_text("in the way")

    project = Project.load(root)

    async def share() -> None:
        for _ in range(3):
            async with project.session("ask", Identity(user="bob")) as session:
                with pytest.raises(PolicyBlocked):
                    await session.retrieve("kb", "hello")

    asyncio.run(share())
    told = [record.message for record in caplog.records if "is lost" in record.message]
    assert len(told) == 2  # of the traces and of the audit log, not of each entry


def test_a_session_that_ends_with_an_error_has_a_trace_that_says_so(
    ask: Ask, tmp_path: Path
) -> None:
    root = ProjectFiles(tmp_path / "project", cases=2).write().root
    project = Project.load(root)

    async def work() -> None:
        async with project.session("ask", Identity(user="bob")):
            raise RuntimeError(f"not for {ADA}")

    with pytest.raises(RuntimeError):
        asyncio.run(work())
    (trace,) = listed(ask, root)
    assert trace["error"] == "RuntimeError"
    assert ADA not in json.dumps(trace)


# Pruning.


def old_runs(root: Path, ask: Ask, *, ages: dict[int, str]) -> list[str]:
    """Runs of the project, each made `age` days ago. Returns their ids, oldest first."""
    ids = []
    for _ in ages:
        ask("run", cwd=root)
    store = root / ".evalkit/runs"
    made = sorted(path.name for path in store.iterdir() if not path.name.startswith("."))
    for name, (days, change) in zip(made, sorted(ages.items(), reverse=True), strict=True):
        at = datetime.now(UTC) - timedelta(days=days)
        record = json.loads((store / name / "run.json").read_bytes())
        record["id"] = f"{at:%Y%m%dT%H%M%SZ}-0001"
        record["started_at"] = record["finished_at"] = at.isoformat()
        if change == "failed":
            record["exit_code"] = 1
            record["verdict"]["outcome"] = "FAIL"
        (store / name / "run.json").write_text(json.dumps(record))
        (store / name).rename(store / record["id"])
        ids.append(record["id"])
    return ids


def stored(root: Path) -> list[str]:
    return sorted(
        path.name for path in (root / ".evalkit/runs").iterdir() if not path.name.startswith(".")
    )


def test_old_runs_go_but_for_baselines_and_the_newest_that_passed(ask: Ask, tmp_path: Path) -> None:
    files = ProjectFiles(tmp_path / "project").write()
    ages = {50: "", 40: "", 30: "", 20: "failed", 1: "failed"}
    oldest, old, passed, failed, newest = old_runs(files.root, ask, ages=ages)
    files.config["baseline"] = oldest
    files.write()
    dry = ask("prune", "--older-than", "10d", "--kind", "runs", "--dry-run", cwd=files.root)
    assert dry.code == 0
    assert dry.out.startswith("Would remove\n")
    assert len(stored(files.root)) == 5
    said = ask("prune", "--older-than", "10d", "--kind", "runs", "--json", cwd=files.root)
    assert said.code == 0
    (runs,) = json.loads(said.out)["pruned"]
    assert sorted(runs["names"]) == [old, failed]
    assert set(runs["kept"]) == {oldest, passed}
    assert stored(files.root) == [oldest, passed, newest]
    history = ask("history", "--json", cwd=files.root)
    assert history.code == 0
    assert old not in history.out
    entries = json.loads(ask("audit", "show", "--json", cwd=files.root).out)["entries"]
    assert (entries[-1]["kind"], entries[-1]["about"]) == ("state.pruned", {"runs": 2})


def test_keep_keeps_the_newest_runs_and_a_run_that_is_written_stays(
    ask: Ask, tmp_path: Path
) -> None:
    from evalkit.store.bundle import Bundle

    files = ProjectFiles(tmp_path / "project", cases=4).write()
    ids = old_runs(files.root, ask, ages=dict.fromkeys((50, 40, 30, 20), "failed"))
    with Bundle(files.root / ".evalkit/runs" / ids[0]).journal():
        arguments = ("--older-than", "1d", "--kind", "runs", "--keep", "2")
        assert ask("prune", *arguments, cwd=files.root).code == 0
    assert stored(files.root) == [ids[0], *ids[2:]]


def test_ages_of_the_configuration_prune_every_kind(
    ask: Ask, produced: Path, tmp_path: Path
) -> None:
    root = tmp_path / "copy"
    shutil.copytree(produced, root)
    config = (root / "evalkit.yaml").read_text()
    retention = "retention: {traces: 30d, audit: 365d, cache: {max_size: 1MB}}\n"
    (root / "evalkit.yaml").write_text(config + retention)
    (day,) = (root / ".evalkit/traces").glob("*.jsonl")
    lines = day.read_text().splitlines(keepends=True)
    long_ago = "2020-01-02"
    (day.parent / f"{long_ago}.jsonl").write_text(lines[0].replace(day.stem, long_ago))
    said = ask("prune", "--json", cwd=root)
    assert said.code == 0
    counts = {each["kind"]: each["count"] for each in json.loads(said.out)["pruned"]}
    assert counts == {"traces": 1, "cache": 0, "audit": 0}
    assert len(listed(ask, root)) == 2


def test_pruning_the_audit_log_leaves_what_verify_holds_against(ask: Ask, tmp_path: Path) -> None:
    files = ProjectFiles(tmp_path / "project", cases=2).write()
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    log = AuditFile(files.root, now=lambda: long_ago, redact=str)
    for _ in range(3):
        log.append("approval.granted", {"user": ADA}, {})
    said = ask("prune", "--kind", "audit", "--older-than", "52w", cwd=files.root)
    assert (said.code, "3 audit entries" in said.out) == (0, True)
    verified = ask("audit", "verify", cwd=files.root)
    assert verified.code == 0
    assert "holds: 1 entry" in verified.out
    assert "3 older entries" in verified.out


def test_approvals_that_are_settled_go_and_those_that_wait_stay(ask: Ask, tmp_path: Path) -> None:
    root = ProjectFiles(tmp_path / "project", cases=2).write().root
    store = ApprovalStore(root, now=lambda: datetime(2020, 1, 1, tzinfo=UTC))

    def asked(tool: str) -> ApprovalAsked:
        return ApprovalAsked(
            route="ask",
            tool=tool,
            team="ops",
            identity="u-1",
            digest=tool,
            expires_s=60,
            arguments={},
        )

    waiting, denied, used = (store.claim(asked(tool)).approval for tool in ("one", "two", "three"))
    store.deny(denied.id, by="eve", team="ops", reason="no")
    store.grant(used.id, by="eve", team="ops")
    assert store.claim(asked("three")).allowed
    arguments = ("prune", "--kind", "approvals", "--older-than", "30d")
    assert "2 approvals" in ask(*arguments, "--dry-run", cwd=root).out
    assert len(store.all()) == 3
    assert "2 approvals" in ask(*arguments, cwd=root).out
    assert [each.id for each in store.all()] == [waiting.id]
    assert "nothing is that old" in ask(*arguments, cwd=root).out


# Runs.


def test_what_a_run_was_told_to_accept_is_audited(ask: Ask, tmp_path: Path) -> None:
    files = ProjectFiles(tmp_path / "project").write()
    files.commit()
    files.suite["gate"]["max_drop_pp"] = 5
    files.write()
    assert ask("run", "--accept-gate-change", "--baseline", "HEAD", cwd=files.root).code == 0
    entries = json.loads(ask("audit", "show", "--json", cwd=files.root).out)["entries"]
    assert [entry["kind"] for entry in entries] == ["gate.accepted"]
    assert "gate.max_drop_pp went from 3 to 5" in str(entries[0]["about"]["accepted"])
