"""What a stored session shows, and how it becomes the input and the fixtures of a case."""

import contextlib
import random
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.control.telemetry import attributes as names
from evalkit.control.telemetry.describing import MOST_CONTENT
from evalkit.errors import Refused
from evalkit.records.asset import Prompt, PromptMessage
from evalkit.records.call import Message
from evalkit.records.case import Case, Document
from evalkit.records.cases import Cases
from evalkit.records.span import SessionTrace
from evalkit.workflows.golden.likeness import NEAR, likeness, near_pairs, runs_of
from evalkit.workflows.traces.inputs import fit_prompt
from evalkit.workflows.traces.making import MadeCase, Users, Wanted, make_case
from evalkit.workflows.traces.observed import observe
from tests.stored_traces import act, chat, said, told, trace_of

LOOKUP = {"id": "k1", "name": "lookup", "arguments": {"id": 7}}
TODAY = date(2026, 12, 1)


def prompt(*texts: str) -> Prompt:
    roles: Any = ["system", "user"][2 - len(texts) :]
    return Prompt(
        name="p",
        version=1,
        digest="",
        path="prompts/p/v1.yaml",
        messages=tuple(
            PromptMessage(role=role, content=text, part="input")
            for role, text in zip(roles, texts, strict=True)
        ),
    )


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def made(trace: SessionTrace, *inputs: dict[str, Any], **keys: Any) -> MadeCase:
    known = Cases.of([Case(id=f"k{n}", input=each) for n, each in enumerate(inputs)])
    users = keys.pop("users", Users())
    return make_case(trace, Wanted(**keys), known=known, users=users, today=TODAY)


def test_an_agents_session_gives_its_tools_and_its_documents_as_fixtures() -> None:
    question = [said("user", "What do I owe?")]
    later = [*question, said("assistant", "", LOOKUP), told("k1", '{"owes": 3}')]
    trace = trace_of(
        act("retrieval", "kb", retrieved=[{"id": "d1"}, {"id": "d2"}], retrieved_texts=[
            {"id": "d1", "index": "kb", "text": "Fees.", "scopes": ["staff"]},
        ]),
        chat(question, said("assistant", "", LOOKUP)),
        act("execute_tool", "lookup", tool_name="lookup", tool_call_id="k1",
            tool_arguments={"id": 7}, tool_result={"owes": 3}),
        act("execute_tool", "wipe", tool_name="wipe", error="policies.disallow_actions"),
        act("execute_tool", "mail", tool_name="mail", tool_arguments={}, error="tool_error"),
        act("execute_tool", "count", tool_name="count", tool_arguments={}),
        chat([*later, said("user", "And since when?")], "Since May."),
    )  # fmt: skip
    found = made(trace, {"text": "x"})
    assert found.case.tools == {
        "lookup": [{"when": {"id": 7}, "returns": {"owes": 3}}],
        "mail": [{"when": {}, "raises": "it broke"}],
    }
    assert found.case.documents == (Document(id="d1", index="kb", text="Fees."),)
    assert found.case.input == {"text": "What do I owe?"}
    assert found.case.conversation == ({"says": "And since when?"},)
    review = "\n".join(found.review)
    assert "texts of d2" in review
    assert "what count answered" in review


def test_results_that_only_stand_in_messages_are_fixtures_too() -> None:
    asked = [said("user", "Owe?"), said("assistant", "", LOOKUP), told("k1", '{"owes": 3}')]
    found = made(trace_of(chat(asked, "Three.")), {"messages": []})
    assert found.case.tools == {"lookup": [{"when": {"id": 7}, "returns": {"owes": 3}}]}
    assert found.case.input["messages"][1:] == [
        {"role": "assistant", "content": "", "tool_calls": [LOOKUP]},
        {"role": "tool", "content": '{"owes": 3}', "tool_call_id": "k1"},
    ]


def test_what_was_cut_is_named() -> None:
    long = "x" * MOST_CONTENT + " … (12,345 more characters)"
    found = made(trace_of(chat([said("user", long)], "Yes.")), {"text": "x"})
    assert any("a message of the user" in each for each in found.review)
    assert observe(trace_of(chat([said("user", "x" * 30_000)], "Yes."))).cut == ()


def test_the_draft_has_what_scorers_read() -> None:
    trace = trace_of(chat([said("user", "hi")], '{"topic": "fee", "other": 1}'))
    for reads, expected in (
        (("topic", "missing", "tool_calls"), {"topic": "fee", "tool_calls": []}),
        (("output",), {"output": '{"topic": "fee", "other": 1}'}),
        ((), {"output": '{"topic": "fee", "other": 1}'}),
        (("regex",), {}),
    ):
        found = made(trace, {"t": "x"}, answer_expected=True, users=Users(reads=reads))
        assert found.case.expected == expected


SCRAPS: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["role", "parts", "type", "content", "id", "arguments", "result"]),
            inner | st.sampled_from(["user", "text", "tool_call", "tool"]),
            max_size=4,
        )
    ),
    max_leaves=8,
)


# the first text that is drawn on a machine has to wait for Unicode's tables
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(SCRAPS, SCRAPS, SCRAPS)
def test_content_of_another_form_is_refused_and_never_a_crash(
    asked: Any, answered: Any, found: Any
) -> None:
    about = {names.INPUT_MESSAGES: asked, names.OUTPUT_MESSAGES: answered}
    spans = (
        act("retrieval", "kb", retrieved=found, retrieved_texts=answered),
        chat([], "", **about),
        act("execute_tool", "t", tool_name="t", tool_arguments=asked, tool_result=found),
    )
    with contextlib.suppress(Refused):
        made(trace_of(*spans), {"messages": []})


def test_messages_that_tell_no_input_are_refused_with_the_way_out() -> None:
    trace = trace_of(chat([said("user", "hi")], "yes"))
    with pytest.raises(Refused, match="--input"):
        made(trace, {"a": "x", "b": "y"})
    with pytest.raises(Refused, match="--input"):
        made(trace, {"a": 5})


def test_personal_data_in_a_trace_that_was_edited_is_refused() -> None:
    with pytest.raises(Refused, match=r"in its input \(EMAIL\)"):
        made(trace_of(chat([said("user", "I am kim@example.org")], "yes")), {"t": "x"})


def test_the_places_of_a_prompt_are_found_in_what_it_was_rendered_to() -> None:
    two = prompt("{{ input.a }} writes:\n{{ input.b }}!")
    assert fit_prompt(two, user("Ada writes:\nHi (you)!")) == {"a": "Ada", "b": "Hi (you)"}
    assert fit_prompt(two, user("Ada says:\nHi!")) is None
    twice = prompt("{{ input.a }} {{ input.a }}")
    assert fit_prompt(twice, user("so so")) == {"a": "so"}
    assert fit_prompt(twice, user("so la")) is None
    assert fit_prompt(prompt("always the same"), user("always the same")) is None
    assert fit_prompt(prompt("{{ input.a.b }}"), user("x")) is None
    assert fit_prompt(prompt("{{ input.a | upper }}"), user("x")) is None
    listed = prompt("{% for each in documents %}{{ each.text }}\n{% endfor %}{{ input.q }}")
    documents = (Document(id="d", index="i", text="Fees."),)
    assert fit_prompt(listed, user("Fees.\nwhen?"), documents) == {"q": "when?"}


@given(st.lists(st.text(alphabet="ab {}[]()\\\n.*é", max_size=12), min_size=2, max_size=2))
def test_what_a_prompt_rendered_is_found_whatever_it_was(values: list[str]) -> None:
    text = f"<{values[0]}|sep|{values[1]}>"
    found = fit_prompt(prompt("<{{ input.a }}|sep|{{ input.b }}>"), user(text))
    assert found is not None
    assert f"<{found['a']}|sep|{found['b']}>" == text


def test_near_pairs_are_those_that_comparing_each_with_each_finds() -> None:
    draw = random.Random(7)
    words = [f"w{n}" for n in range(12)]
    texts = [" ".join(draw.choices(words, k=draw.randint(0, 9))) for _ in range(120)]
    texts += [f"{text} more" for text in texts[:40]] + texts[:10]
    cases = [
        Case(id=str(n), input={"t": text}, group=draw.choice((None, "g", "h")))
        for n, text in enumerate(texts)
    ]
    runs = [runs_of(case) for case in cases]
    first: dict[int, int] = {}
    for other, case in enumerate(cases):
        for one in range(other):
            together = case.group is not None and case.group == cases[one].group
            if not together and likeness(runs[one], runs[other]) >= NEAR:
                first.setdefault(other, one)
    found = near_pairs(cases)
    assert len(first) > 10
    assert {int(other): runs[int(one)] for one, other, _ in found} == {
        other: runs[one] for other, one in first.items()
    }


def test_a_thousand_times_the_same_question_is_told_in_a_line_each() -> None:
    cases = [Case(id=str(n), input={"t": "the very same words"}) for n in range(1_000)]
    assert near_pairs(cases) == [("0", str(n), 1.0) for n in range(1, 1_000)]


def test_a_system_message_and_capitals_do_not_make_cases_alike_or_unlike() -> None:
    long = " ".join(f"rule{n}" for n in range(100))
    system = {"role": "system", "content": long}

    def case(text: str) -> Case:
        return Case(id=text, input={"messages": [system, {"role": "user", "content": text}]})

    cases = [case("When do you open?"), case("Is a dog allowed?"), case("when DO you open")]
    assert near_pairs(cases) == [("When do you open?", "when DO you open", 1.0)]
