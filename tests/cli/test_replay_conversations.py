"""`evalkit replay` of a suite that tests an agent: conversations, with what tools answered."""

import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.records.span import SessionTrace
from evalkit.store.runs import RunStore
from tests.cli.agents import agent_file, agent_project, write
from tests.cli.conftest import Ask
from tests.cli.project import ProjectFiles
from tests.stored_traces import act, chat, said, store, told, trace_of

V2 = ("--set", "suites.ask.target.agent=ask@v2")
AGAIN = "And when does it come?"


def call(number: int) -> dict[str, Any]:
    return {"name": "get_order", "arguments": {"id": f"A-{number}"}, "id": f"call-{number}"}


def session(number: int, *, apart: bool, **fields: Any) -> list[SessionTrace]:
    """An order is looked up, told, and asked about again: one session of three requests, or three
    requests of a client that sends all that was said each time."""
    first = [said("user", f"Is {number} late?")]
    second = [*first, said("assistant", "", call(number)), told(f"call-{number}", '{"late": 1}')]
    third = [*second, said("assistant", "late"), said("user", AGAIN)]
    asked = [
        chat(first, said("assistant", "", call(number))),
        chat(second, "late"),
        chat(third, "yes"),
    ]
    if not apart:
        return [trace_of(*asked, trace_id=f"{number:032x}", **fields)]
    return [
        trace_of(
            each, trace_id=f"{number:031x}{turn}", at=f"2026-11-30T10:0{turn}:00+00:00", **fields
        )
        for turn, each in enumerate(asked)
    ]


def told_to_the_end(number: int, *, apart: bool) -> str:
    """The trace that a case is made of."""
    return f"{number:031x}2" if apart else f"{number:032x}"


def script(project: ProjectFiles, *, apart: bool, other: int = 0) -> None:
    """v1 goes on as production did; v2 looks up another order in the first `other` sessions."""
    rows = []
    for number in range(1, 15):
        for prompt in ("ask@v1", "ask@v2"):
            asks = call(number + 100 if prompt == "ask@v2" and number <= other else number)
            replies = [{"tool_calls": [asks]}, {"content": "late"}, {"content": "yes"}]
            case = f"trace-{told_to_the_end(number, apart=apart)}"
            rows.append(json.dumps({"case": case, "prompt": prompt, "replies": replies}))
    write(project, "scripted/ask.jsonl", "\n".join(rows) + "\n")


@pytest.fixture
def project(tmp_path: Path) -> ProjectFiles:
    """An agent that looks up orders."""
    project = agent_project(tmp_path / "project", cases=2)
    project.suite["gate"] = {"max_drop_pp": 30}
    project.write()
    write(project, "agents/ask/v1.yaml", agent_file())
    write(project, "agents/ask/v2.yaml", agent_file(version=2))
    return project


def message_prompt(project: ProjectFiles) -> None:
    """The agent asks as production did."""
    text = [{"role": "user", "part": "input", "content": "Is {{ input.question }} late?"}]
    for version in (1, 2):
        write(project, f"agents/ask/v{version}.yaml", agent_file(version=version, messages=text))


@pytest.mark.parametrize("apart", [False, True])
def test_conversations_are_played_with_the_results_that_their_tools_gave(
    ask: Ask, project: ProjectFiles, apart: bool
) -> None:
    message_prompt(project)
    for number in range(1, 15):
        store(project.root, *session(number, apart=apart))
    script(project, apart=apart, other=9)
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 0, done.out + done.err
    words = " ".join(done.out.split())
    count = 42 if apart else 14
    assert f"replay of {count} of {count} stored sessions" in words
    assert ("28 of them requests of a longer one" in words) is apart
    run = RunStore(project.root).open("latest").load_whole()
    (suite,) = run.record.suites
    assert suite.cases == 14
    cases = run.snapshots[0].cases
    case = cases.by_id(f"trace-{told_to_the_end(3, apart=apart)}")
    assert case.input == {"question": "3"}
    assert case.tools == {"get_order": [{"when": {"id": "A-3"}, "returns": {"late": 1}}]}
    assert case.conversation == ({"says": AGAIN},)
    assert case.expected == {
        "output": "yes",
        "tool_calls": [{"name": "get_order", "arguments": {"id": "A-3"}}],
    }
    produced = [each for each in run.attempts if each.variant == "baseline"]
    assert {each.usage.total for each in produced} == {45}  # of all three calls
    assert [step.kind for step in produced[0].steps] == ["model", "tool", "model", "user", "model"]

    changed = ask("replay", "ask", *V2, cwd=project.root)
    assert changed.code == 1, changed.out
    words = " ".join(changed.out.split())
    assert "in 9 attempts the candidate called tools as production did not" in words
    assert "get_order 9" in words
    shown = ask("show", "latest", f"trace-{told_to_the_end(1, apart=apart)}", cwd=project.root)
    assert "the case has no answer of the tool get_order" in " ".join(shown.out.split())


def test_conversations_that_cannot_be_played_to_their_end_are_counted_by_why(
    ask: Ask, project: ProjectFiles
) -> None:
    project.suite["gate"]["metrics"] = {"tokens": {"max_increase_pct": 300}}
    project.write()
    message_prompt(project)
    for number in range(1, 15):
        store(project.root, *session(number, apart=False))
    script(project, apart=False)
    whole = session(20, apart=True)
    store(
        project.root,
        whole[0],  # it ends in a call
        session(21, apart=True)[2],  # its requests before are not stored
        trace_of(
            chat([said("user", "Is 22 late?")], "yes"),
            chat([said("user", "Is 23 late?")], "yes"),
            trace_id=f"{22:032x}",
        ),
        trace_of(chat([said("user", "Who are you?")], "me"), trace_id=f"{24:032x}"),
        *session(25, apart=False, use="training"),
    )
    write(
        project,
        "scripted/ask.jsonl",
        (project.root / "scripted/ask.jsonl").read_text()
        + json.dumps(
            {
                "case": f"trace-{21:031x}2",
                "prompt": "ask@v1",
                "replies": [{"tool_calls": [call(21)]}, {"content": "late"}, {"content": "yes"}],
            }
        )
        + "\n",
    )
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 3, done.out + done.err
    words = " ".join(done.out.split())
    assert "15 of the 18 sessions that may be evaluated could be played" in words
    for why in (
        f"it ends in a tool call, whose result is not in a trace (1: {0:08x})",
        f"calls that do not go on from each other (1: {0:08x})",
        f"messages that the suite's prompt does not render to (1: {0:08x})",
        f"marked `use: training` (1: {0:08x})",
        "of 1 of them requests are not stored, so nobody knows what they cost",
        "not held against traffic: gate.metrics.tokens",
    ):
        assert why in words


def test_a_case_made_of_an_agents_conversation_expects_all_of_its_calls(
    ask: Ask, project: ProjectFiles
) -> None:
    message_prompt(project)
    store(project.root, *session(3, apart=True))
    added = ask(
        *("golden", "add", "ask", "--from-trace", f"{3:031x}2", "--expect-answer", "--json"),
        cwd=project.root,
    )
    assert added.code == 0, added.err
    case = json.loads(added.out)["case"]
    assert case["input"] == {"question": "3"}
    assert case["conversation"] == [{"says": AGAIN}]
    assert case["expected"]["tool_calls"] == [{"name": "get_order", "arguments": {"id": "A-3"}}]
    earlier = ask("golden", "add", "ask", "--from-trace", f"{3:031x}1", cwd=project.root)
    assert (earlier.code, earlier.out) == (2, ""), "a request before it tells the same"
    assert case["id"] in earlier.err


@pytest.mark.parametrize("counts", ["asked", "executed"])
def test_what_a_search_found_is_found_again_and_its_calls_count_as_in_a_run(
    ask: Ask, project: ProjectFiles, counts: str
) -> None:
    project.suite["scorers"] = [{"exact": {}}, {"tool_calls": {"calls": counts}}]
    project.suite["gate"] = {"max_drop_pp": 60}
    project.route["retrieval"] = {"allow_indexes": ["kb"]}
    project.write()
    text = [{"role": "user", "part": "input", "content": "{{ input.question }}"}]
    write(
        project,
        "agents/ask/v1.yaml",
        agent_file(messages=text, search={"indexes": ["kb"]}),
    )
    find = {"name": "search", "arguments": {"query": "late orders"}, "id": "s1"}
    rows = []
    for number in range(1, 6):
        first = [said("user", f"Is {number} late?")]
        found = [{"id": "d1", "index": "kb", "text": "Late orders come on Monday."}]
        second = [*first, said("assistant", "", find), told("s1", json.dumps(found))]
        third = [*second, said("assistant", "", call(number)), told(f"call-{number}", "{}")]
        spans = (
            chat(first, said("assistant", "", find)),
            act("retrieval", "kb", retrieved=[{"id": "d1"}], retrieved_texts=found),
            chat(second, said("assistant", "", call(number))),
            chat(third, "yes"),
        )
        store(project.root, trace_of(*spans, trace_id=f"{number:032x}"))
        replies = [{"tool_calls": [find]}, {"tool_calls": [call(number)]}, {"content": "yes"}]
        case = f"trace-{number:032x}"
        rows.append(json.dumps({"case": case, "prompt": "ask@v1", "replies": replies}))
    write(project, "scripted/ask.jsonl", "\n".join(rows) + "\n")
    done = ask("replay", "ask", cwd=project.root)
    assert done.code == 0, done.out + done.err
    run = RunStore(project.root).open("latest").load_whole()
    played = [each for each in run.attempts if each.variant == "candidate"]
    assert {each.documents for each in played} == {("d1",)}
    assert "no result is stored" not in done.out
    # an application that searched by itself left no documents to find
    lost = (chat(first, said("assistant", "", find)), chat(second, "yes"))
    store(project.root, trace_of(*lost, trace_id=f"{9:032x}"))
    missed = ask("replay", "ask", cwd=project.root)
    assert missed.code == 3
    words = " ".join(missed.out.split())
    assert "what its calls of search found is not in the trace as documents (1:" in words
