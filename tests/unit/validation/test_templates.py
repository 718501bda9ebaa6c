"""Templates that would take the stack or the memory are refused before the engine sees them."""

import pytest
from minijinja import Environment, TemplateError

from evalkit.validation.templates import RENDER_ERRORS, readable, unbounded

LONG = 10_000
# each of them crashed the process, or kept it busy with gigabytes, in minijinja 3.1.0
HOSTILE = {
    "a chain of nots": "{{ " + "not " * LONG + "1 }}",
    "a chain of signs": "{{ " + "-" * LONG + "1 }}",
    "a chain of operators": "{{ 1" + "+1" * LONG + " }}",
    "a chain of attributes": "{{ input" + ".a" * LONG + " }}",
    "a chain of filters": "{{ 1" + "|abs" * LONG + " }}",
    "a chain of calls": "{{ input" + "()" * LONG + " }}",
    "a chain of branches": "{% if 1 %}" + "{% elif 1 %}" * LONG + "{% endif %}",
    "more tags than anybody writes": "{{ input.a }}" * LONG,
    "a list that doubles": "{% set ns=namespace(a=[1]) %}{% for i in range(60) %}"
    "{% set ns.a=ns.a+ns.a %}{% endfor %}{{ ns.a|length }}",
    "a list in itself": "{% set ns=namespace() %}{% set ns.a=[ns] %}{{ ns }}",
    "lists in lists": "{% set b=[a,a,a,a] %}{% set c=[b,b,b,b] %}{% set d=[c,c,c,c] %}"
    "{% set e=[d,d,d,d] %}{% set f=[e,e,e,e] %}{{ f }}",
    "a product of lists": "{% set b=a|zip(a) %}{% set c=b|zip(b) %}{{ c }}",
    "a macro that calls itself": "{% macro m(a) %}{{ m([a, a]) }}{% endmacro %}{{ m(1) }}",
    "macros in macros": "{% macro m(a) %}{{ a }}{% endmacro %}"
    + "{% macro n(a) %}{{ m([a,a]) }}{% endmacro %}",
    "a loop that calls itself": "{% for a in [1] recursive %}{{ loop([[a, a]]) }}{% endfor %}",
    "a wide indent": "{{ input|tojson(indent=100000000) }}",
    "an indent of data": "{{ input|tojson(input.n) }}",
    "a wide format": "{{ '{:>99999999}'.format(1) }}",
    "a format in a format": "{{ '{:>{}}'.format(1, input.n) }}",
    "a format of data": "{{ input.text.format(1) }}",
    "a list many times over": "{{ ['x' * 9000] * 90000 }}",
}
HIDDEN = (
    "{# {% raw %} #}{{ namespace() }}",
    "{{ {'a': {'b': 1}} ~ namespace() }}",
    "{{ '}}' ~ namespace() }}",
    '{{ "a\\"}}" ~ namespace() }}',
    "{% raw %}{% endraw %}{{ namespace() }}",
    "{{- namespace() -}}",
)
FINE = (
    "{% for d in documents %}[{{ d.id }}] {{ d.text }}\n{% else %}none{% endfor %}",
    "{% set name = input.name if input.name else input.id %}{{ name }}",
    "{% macro show(d) %}[{{ d.id }}] {{ d.text | trim }}{% endmacro %}"
    "{% for d in documents %}{{ show(d) }}{% endfor %}",
    "{{ [input.a, input.b] | join(', ') }} {{ {'a': input.a, 'b': input.b} | tojson(indent=2) }}",
    "{{ '%05.2f' | format(input.usd * 100) }} {{ loop.index + 1 }} {{ '-' * 40 }}",
    "{% raw %}{{ namespace() }}{% endraw %}{# {{ namespace() }} #}",
    "{{ 'namespace() recursive' }}",
    "no tag { at } all",
)


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_takes_the_stack_or_the_memory_is_refused(source: str) -> None:
    assert list(unbounded(source))


@pytest.mark.parametrize("source", HIDDEN)
def test_nothing_hides_a_tag(source: str) -> None:
    assert list(unbounded(f"\n{source}")) == [
        (2, "`namespace` is not part of prompts: what it holds can grow without end")
    ]


@pytest.mark.parametrize("source", FINE)
def test_what_people_write_is_fine(source: str) -> None:
    assert list(unbounded(source)) == []


@pytest.mark.parametrize("opening", ["{{ 'a" + "\\'" * 50_000, "{{ " + "a}" * 50_000, "{{" * 4_000])
def test_a_tag_that_does_not_end_takes_no_longer_than_it_is_long(opening: str) -> None:
    # quadratic, this was minutes
    assert len(list(unbounded(opening))) <= 1


@pytest.mark.parametrize(
    "change",
    [
        "input.clear()",
        "input.update(a=2)",
        "input.pop('a')",
        "input.parts.append(1)",
        "input.parts.extend(input.parts)",
        "input.parts.sort()",
        "input.fromkeys([1])",
        "input.get()",
        "input.get.__self__",
        "input.keys.__class__",
    ],
)
def test_a_template_changes_nothing_of_what_it_is_given(change: str) -> None:
    given = {"a": 1, "parts": [1, {"b": 2}]}
    with pytest.raises((TemplateError, *RENDER_ERRORS)):
        Environment(undefined_behavior="strict").render_str(
            f"{{{{ {change} }}}}", input=readable(given)
        )
    assert given == {"a": 1, "parts": [1, {"b": 2}]}


def test_what_is_given_reads_as_it_is() -> None:
    given = {"a": 1, "items": [1, "x"], "parts": {"b": [True, None]}}
    template = (
        "{{ input.a }} {{ input.items }} {{ input.parts | tojson }} {{ input.items | length }} "
        "{% for key, value in input.parts.items() %}{{ key }}={{ value }}{% endfor %} "
        "{{ input.get('a') }} {{ input.parts == {'b': [true, none]} }} {{ input.items[0] }}"
    )
    plain = Environment().render_str(template, input=given)
    assert Environment().render_str(template, input=readable(given)) == plain
