"""Jinja templates, checked where they are loaded: syntax, names and filters."""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache

import minijinja

from evalkit.config.problems import Locator, Path, listed, suggest
from evalkit.errors import Problem
from evalkit.validation.templates import unbounded

# What the engine itself provides.
_BUILT_IN = frozenset(("range", "dict", "namespace", "debug"))
_TAG = re.compile(r"\{[{%].*?[}%]\}", re.DOTALL)
_LOADS = re.compile(r"\{%[-+]?\s*(include|import|extends|from)\b")
_ESCAPES = re.compile(r"\{%[-+]?\s*autoescape\b")
_FILTER = re.compile(r"\|\s*([A-Za-z_][A-Za-z0-9_]*)")
_OPTIONAL = re.compile(r"\b(defined|undefined|default|d)\b")


def template_problems(
    locator: Locator,
    path: Path,
    source: str,
    names: Collection[str],
    *,
    filters: Collection[str] = (),
) -> Iterator[Problem]:
    """What is wrong with the template at `path`, which may use the variables in `names`.

    `filters` are those that it may use besides the engine's own.
    """
    if unsafe := list(unbounded(source)):
        yield from (_at_line(locator, path, line, why) for line, why in unsafe)
        return
    environment = minijinja.Environment()
    try:
        environment.add_template("template", source)
    except minijinja.TemplateError as error:
        words = f"is no template: {error.detail or error.message}"
        yield _at_line(locator, path, error.line or 1, words)
        return
    if filters and (escapes := _ESCAPES.search(source)):
        # what it escapes are the lines around data, which then fence nothing
        line = source.count("\n", 0, escapes.start()) + 1
        yield _at_line(locator, path, line, "a judge's prompt has no autoescape: data is fenced")
    if loads := _LOADS.search(source):
        line = source.count("\n", 0, loads.start()) + 1
        yield _at_line(locator, path, line, f"a template stands alone and has no {loads.group(1)}")
    unknown = environment.undeclared_variables_in_str(source) - _BUILT_IN - set(names)
    for name in sorted(unknown):
        line = _line_of(source, name)
        hint = suggest(name, names)
        yield _at_line(
            locator, path, line, f"unknown variable {name!r}", f"one of {listed(names)}", hint
        )
    for tag in _TAG.finditer(source):
        for used in _FILTER.finditer(tag.group()):
            if used.group(1) not in filters and not _filter_exists(used.group(1)):
                line = source.count("\n", 0, tag.start() + used.start()) + 1
                yield _at_line(locator, path, line, f"unknown filter {used.group(1)!r}")


def fields_read(source: str, variable: str) -> frozenset[str]:
    """Keys of `variable` that a template cannot do without.

    Empty for a template that asks whether values are defined, or that cannot be parsed.
    """
    if any(_OPTIONAL.search(tag.group()) for tag in _TAG.finditer(source)):
        return frozenset()
    try:
        used = minijinja.Environment().undeclared_variables_in_str(source, nested=True)
    except minijinja.TemplateError:
        return frozenset()
    start = f"{variable}."
    return frozenset(name.split(".")[1] for name in used if name.startswith(start))


def _line_of(source: str, name: str) -> int:
    for tag in _TAG.finditer(source):
        if found := re.search(rf"(?<![\w.]){re.escape(name)}\b", tag.group()):
            return source.count("\n", 0, tag.start() + found.start()) + 1
    return 1


@lru_cache(maxsize=256)
def _filter_exists(name: str) -> bool:
    try:
        minijinja.Environment().eval_expr(f"''|{name}")
    except minijinja.TemplateError as error:
        return str(error.kind) != "UnknownFilter"
    return True


def _at_line(
    locator: Locator,
    path: Path,
    line: int,
    message: str,
    expected: str | None = None,
    suggestion: str | None = None,
) -> Problem:
    """A problem in a line of the template, which is a text inside a file."""
    whole = locator.problem(path, message, expected=expected, suggestion=suggestion)
    return Problem(
        file=whole.file,
        line=locator.document.text_line(path, line),
        column=None if line > 1 else whole.column,
        key=whole.key,
        message=message,
        expected=expected,
        suggestion=suggestion,
    )
