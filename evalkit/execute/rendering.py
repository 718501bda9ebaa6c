"""Prompt templates to messages: strict, bounded, and with no way out of what they are given."""

from collections.abc import Mapping, Sequence
from typing import Any

from minijinja import Environment, TemplateError

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Prompt
from evalkit.records.call import Message
from evalkit.records.case import Case, Document
from evalkit.validation.templates import RENDER_ERRORS, readable, unbounded

# A unit is about one instruction or one byte that an expression builds: a prompt of a hundred
# documents takes some thousands, and a template that never ends stops within about 20 ms.
FUEL = 1_000_000
_QUERY = "retrieve.query"


class PromptRenderer:
    """The compiled templates of one prompt.

    A template sees `input` (the case's) and `documents` (those retrieved, each with `id`, `index`
    and `text`). What it names and is not there is an error; nothing is escaped; it can reach no
    file, no other template and no attribute of a Python object.
    """

    def __init__(self, prompt: Prompt) -> None:
        """Compile every template. Raises ConfigError with all that do not parse."""
        self._prompt = prompt
        self._environment = Environment(
            undefined_behavior="strict",
            keep_trailing_newline=True,
            fuel=FUEL,
            auto_escape_callback=lambda name: False,
        )
        templates = {f"messages[{i}].content": m.content for i, m in enumerate(prompt.messages)}
        if prompt.retrieve is not None:
            templates[_QUERY] = prompt.retrieve.query
        problems: list[Problem] = []
        for key, source in templates.items():
            if unsafe := [self._unsafe(key, line, why) for line, why in unbounded(source)]:
                problems += unsafe
                continue
            try:
                self._environment.add_template(key, source)
            except TemplateError as error:
                problems.append(self._problem(key, error))
        if problems:
            raise ConfigError(problems)
        # most system messages: what names nothing reads the same for every case
        self._constant = {
            key: self._environment.render_template(key)
            for key, source in templates.items()
            if "{" not in source
        }

    def query(self, case: Case) -> str:
        """The query of the prompt's retrieval. Raises ConfigError."""
        return self._render(_QUERY, case, {"input": readable(case.input)})

    def messages(self, case: Case, documents: Sequence[Document]) -> tuple[Message, ...]:
        """The messages for a case. Raises ConfigError with every one that cannot be rendered."""
        names: dict[str, Any] = {
            "input": readable(case.input),
            "documents": readable(
                [{"id": each.id, "index": each.index, "text": each.text} for each in documents]
            ),
        }
        messages: list[Message] = []
        problems: list[Problem] = []
        for number, message in enumerate(self._prompt.messages):
            try:
                content = self._render(f"messages[{number}].content", case, names)
            except ConfigError as error:
                problems += error.problems
            else:
                messages.append(Message(role=message.role, content=content, part=message.part))
        if problems:
            raise ConfigError(problems)
        return tuple(messages)

    def _render(self, key: str, case: Case, names: Mapping[str, Any]) -> str:
        if (constant := self._constant.get(key)) is not None:
            return constant
        try:
            return self._environment.render_template(key, **names)
        except (TemplateError, *RENDER_ERRORS) as error:
            raise ConfigError([self._problem(key, error, case)]) from error

    def _unsafe(self, key: str, line: int, why: str) -> Problem:
        return Problem(
            file=self._prompt.path,
            key=key,
            message=f"{self._prompt.reference} cannot be rendered: line {line}: {why}",
        )

    def _problem(self, key: str, error: Exception, case: Case | None = None) -> Problem:
        detail = getattr(error, "detail", None) or getattr(error, "message", None) or str(error)
        if getattr(error, "kind", None) == "OutOfFuel":
            detail = "takes too many steps; a template has to end"
        line = getattr(error, "line", None)
        where = f"line {line} of the template" if line else "the template"
        subject = f" for case {case.id}" if case else ""
        return Problem(
            file=self._prompt.path,
            key=key,
            message=f"{self._prompt.reference} cannot be rendered{subject}: {where}: {detail}",
            expected="a template over `input` and `documents`",
        )
