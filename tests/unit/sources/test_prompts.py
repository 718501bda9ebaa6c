"""Prompt files: templates, tools and schema are checked where they are loaded."""

from typing import Any

import pytest

from evalkit.records.digest import digest_of
from evalkit.sources.templates import fields_read

PATH = "prompts/desk/v1.yaml"


def test_a_prompt_has_its_messages_tools_and_schema(sample: Any) -> None:
    prompt = sample.load().suites["desk"].prompt
    assert prompt.reference == "desk@v1"
    assert [(each.role, each.part) for each in prompt.messages] == [
        ("system", "system"),
        ("user", "input"),
    ]
    assert prompt.messages[0].content.endswith("one queue.\n")
    assert [(tool.name, tool.effect) for tool in prompt.tools] == [("call_finder", "execute")]
    assert prompt.output.kind == "json"
    assert prompt.output.schema is not None
    assert prompt.output.schema["required"] == ["queue"]


def test_parameters_are_those_that_are_given(sample: Any) -> None:
    sample.change(PATH, "tools:", 'params: {temperature: 0, stop: ["\\n"]}\ntools:')
    assert sample.load().suites["desk"].prompt.params == {"temperature": 0, "stop": ["\n"]}


def test_the_digest_covers_the_tools_and_the_schema_too(sample: Any) -> None:
    seen = {sample.load().suites["desk"].prompt.digest}
    sample.change("tools/call_finder.json", "execute", "read")
    seen.add(sample.load().suites["desk"].prompt.digest)
    sample.change("schemas/answer.json", '"string"', '"integer"')
    seen.add(sample.load().suites["desk"].prompt.digest)
    sample.change(PATH, "one queue", "a queue")
    seen.add(sample.load().suites["desk"].prompt.digest)
    assert len(seen) == 4


def test_comments_and_order_of_keys_do_not_change_the_digest(sample: Any) -> None:
    before = sample.load().suites["desk"].prompt.digest
    sample.change(PATH, "name: desk\nversion: 1\n", "# a comment\nversion: 1\nname: desk\n")
    assert sample.load().suites["desk"].prompt.digest == before


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("one queue.", "one {{ queue.", 7, "is no template"),
        ("one queue.", "{% if input.letter %}x", 7, "is no template"),
        ("{{ input.letter }}", "{{ input.letter }", 9, "is no template"),
        ("You sort", "{{ letter }} You sort", 6, "unknown variable 'letter'"),
        ("one queue.", "{{ expected.queue }}", 7, "unknown variable 'expected'"),
        ("one queue.", "one {{ input.letter | uper }}", 7, "unknown filter 'uper'"),
        ("one queue.", "{% include 'other' %}", 7, "stands alone"),
    ],
)
def test_a_broken_template_is_placed_in_its_line(
    sample: Any, old: str, new: str, line: int, words: str
) -> None:
    sample.change(PATH, old, new)
    problem = sample.problems()[0]
    assert (problem.file, problem.line) == (PATH, line)
    assert words in problem.message


def test_loops_filters_and_builtins_are_no_unknown_names(sample: Any) -> None:
    sample.change(
        PATH,
        "one queue.",
        "{% for d in documents %}{{ loop.index }} {{ d.text | trim | upper }}{% endfor %}"
        "{% set n = range(3) | length %}{{ n }}",
    )
    assert sample.load().suites["desk"].prompt


def test_a_case_without_what_the_prompt_reads_is_refused(sample: Any) -> None:
    sample.change(PATH, "{{ input.letter }}", "{{ input.leter }}")
    problems = sample.problems()
    assert len(problems) == 3
    assert problems[0].line == 1
    assert problems[0].message == "lacks 'leter', which the prompt desk@v1 reads"
    assert problems[0].suggestion == "did you mean 'letter'?"


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        ("{{ input.a }} {{ input.b.c }}", {"a", "b"}),
        ("{{ input.a | default('') }}", set()),
        ("{% if input.a is defined %}{{ input.a }}{% endif %}", set()),
        ("{{ input['a'] }} {{ documents }}", set()),
        ("{{ input.a }", set()),
        ("the word default outside of a tag {{ input.a }}", {"a"}),
    ],
)
def test_only_what_a_template_cannot_do_without_is_required(
    template: str, fields: set[str]
) -> None:
    assert fields_read(template, "input") == fields


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("name: desk", "name: dask", "name", "is not the name"),
        ("version: 1", "version: 2", "version", "is not the version"),
        ("tools/call_finder.json", "tools/nobody.json", "tools[0]", "no file tools/nobody.json"),
        ("[tools/call_finder.json]", "[tools/call_finder.json, tools/call_finder.json]", "tools[1]",
         "stands in the list already"),
        ("[tools/call_finder.json]", "[/etc/passwd]", "tools[0]", "no path inside"),
        ("schemas/answer.json", "schemas/none.json", "output.schema", "no file schemas/none.json"),
        ("kind: json", "kind: text", "output", "a schema needs `kind: json`"),
        ("role: user", "role: tool", "messages[1].role", "wrong value"),
        ("output:", "params: {temprature: 0}\noutput:", "params.temprature", "unknown key"),
        ("output:", "retrieve: {index: kb, query: '{{ documents }}'}\noutput:", "retrieve.query",
         "unknown variable"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_prompt_is_said_at_its_place(
    sample: Any, old: str, new: str, key: str, words: str
) -> None:
    sample.change(PATH, old, new)
    problem = sample.problem()
    assert (problem.file, problem.key) == (PATH, key)
    assert words in problem.message
    assert problem.line is not None


def test_an_index_that_the_route_does_not_allow_is_a_warning(sample: Any) -> None:
    sample.change("evalkit.yaml", "small}", "small}\n  retrieval: {allow_indexes: [help]}")
    sample.change(PATH, "output:", "retrieve: {index: halp, query: x}\noutput:")
    warning = sample.load(suites=["desk"]).warnings[0]
    assert warning.key == "suites.desk.target.prompt"
    assert warning.suggestion == "did you mean 'help'?"


def test_tools_and_schema_have_digests_of_their_own(sample: Any) -> None:
    assets = sample.load()
    digests = assets.suites["desk"].digests
    assert digests["schemas/answer.json"] == digest_of(assets.suites["desk"].prompt.output.schema)
    assert set(digests) == {
        PATH,
        "tools/call_finder.json",
        "schemas/answer.json",
        "routes.desk",
        "models.big",
        "models.small",
        "providers.hosted",
    }
