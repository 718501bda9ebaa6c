"""Templates are strict, bounded, and see nothing but the data they are given."""

from collections.abc import Callable

import pytest

from evalkit.errors import ConfigError
from evalkit.execute.rendering import PromptRenderer
from evalkit.records.asset import Prompt, Retrieve
from evalkit.records.case import Case, Document

MakePrompt = Callable[..., Prompt]
MakeCase = Callable[..., Case]

DOCUMENTS = (
    Document(id="kb-1", index="kb", text="Press twice."),
    Document(id="kb-2", index="kb", text="Hold it."),
)


def test_input_and_documents_are_filled_in_as_they_stand(
    prompt: MakePrompt, case: MakeCase
) -> None:
    renderer = PromptRenderer(
        prompt(
            "{% for d in documents %}[{{ d.id }}] {{ d.text }}\n{% endfor %}", "<{{ input.body }}>"
        )
    )
    messages = renderer.messages(case(input={"body": 'a < b & "c" {{ x }}'}), DOCUMENTS)
    assert [each.content for each in messages] == [
        "[kb-1] Press twice.\n[kb-2] Hold it.\n",
        '<a < b & "c" {{ x }}>',
    ]
    assert [(each.role, each.part) for each in messages] == [
        ("system", "system"),
        ("user", "input"),
    ]


def test_a_newline_at_the_end_of_a_template_is_kept(prompt: MakePrompt, case: MakeCase) -> None:
    assert PromptRenderer(prompt("One.\n\n")).messages(case(), ())[0].content == "One.\n\n"


def test_a_name_that_is_not_there_is_an_error_with_file_key_line_and_case(
    prompt: MakePrompt, case: MakeCase
) -> None:
    renderer = PromptRenderer(prompt("fine", "Ticket:\n{{ input.subject }}"))
    with pytest.raises(ConfigError) as caught:
        renderer.messages(case(id="t-9"), ())
    (problem,) = caught.value.problems
    assert problem.file == "prompts/triage/v1.yaml"
    assert problem.key == "messages[1].content"
    assert "triage@v1 cannot be rendered for case t-9: line 2" in problem.message
    assert "`input.subject` is undefined" in problem.message


def test_every_message_that_cannot_be_rendered_is_reported(
    prompt: MakePrompt, case: MakeCase
) -> None:
    renderer = PromptRenderer(prompt("{{ nobody }}", "fine", "{{ input.none }}"))
    with pytest.raises(ConfigError) as caught:
        renderer.messages(case(), ())
    assert [each.key for each in caught.value.problems] == [
        "messages[0].content",
        "messages[2].content",
    ]


def test_every_template_that_does_not_parse_is_reported_at_once(prompt: MakePrompt) -> None:
    broken = prompt("{% if %}", "{{ input.", retrieve=Retrieve(index="kb", query="{% endfor %}"))
    with pytest.raises(ConfigError) as caught:
        PromptRenderer(broken)
    keys = [each.key for each in caught.value.problems]
    assert keys == ["messages[0].content", "messages[1].content", "retrieve.query"]


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 10000000000 }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    ],
)
def test_a_template_that_does_not_end_is_stopped(
    prompt: MakePrompt, case: MakeCase, template: str
) -> None:
    with pytest.raises(ConfigError, match=r"messages\[0\]\.content"):
        PromptRenderer(prompt(template)).messages(case(), ())


def test_a_hundred_long_documents_are_within_the_bounds(prompt: MakePrompt, case: MakeCase) -> None:
    documents = [Document(id=f"d{i}", index="kb", text="word " * 4000) for i in range(100)]
    template = "{% for d in documents %}[{{ d.id }}] {{ d.text }}{% endfor %}"
    (message,) = PromptRenderer(prompt(template)).messages(case(), documents)
    assert len(message.content) > 2_000_000


@pytest.mark.parametrize(
    "template",
    [
        "{% include '/etc/hostname' %}",
        "{% import 'messages[1].content' as other %}{{ other.x }}",
        "{{ input.__class__ }}",
        "{{ input.body.__class__.__mro__ }}",
        "{{ documents.__init__ }}",
    ],
)
def test_a_template_reaches_no_file_and_no_python(
    prompt: MakePrompt, case: MakeCase, template: str
) -> None:
    with pytest.raises(ConfigError):
        PromptRenderer(prompt(template, "fine")).messages(case(), ())


def test_the_query_sees_the_input_alone(prompt: MakePrompt, case: MakeCase) -> None:
    asks = prompt("x", retrieve=Retrieve(index="kb", query="{{ input.body }} {{ documents }}"))
    with pytest.raises(ConfigError, match="`documents` is undefined"):
        PromptRenderer(asks).query(case())
    plain = prompt("x", retrieve=Retrieve(index="kb", query="{{ input.body|lower }}"))
    assert PromptRenderer(plain).query(case()) == "it beeps."
