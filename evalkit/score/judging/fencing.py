"""Data inside a judge's prompt: fenced by a line that nothing inside the fence can be.

The fence carries a token made of the data itself. Whoever writes the data would have to know the
token before the data is done, so no text can close its own fence; that it does not occur in the
data is checked all the same.
"""

import hashlib
import json
from typing import Any

import msgspec
from minijinja import Environment, TemplateError

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Rubric
from evalkit.records.judgment import Subject
from evalkit.validation.templates import RENDER_ERRORS, readable, unbounded

FUEL = 1_000_000  # as of any prompt: steps before a template that never ends is stopped
_TOKEN_LENGTH = 12
_TEMPLATE = "judge.prompt"


class Own:
    """A text of the rubric itself, which stands in the prompt as it is."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """`text` is the rubric's."""
        self.text = text

    def __str__(self) -> str:
        """As the prompt shows it."""
        return self.text


class _Named:
    """Data with the name that its fence is to have."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: Any) -> None:
        self.name = name
        self.value = value

    def __str__(self) -> str:
        """The data as a text, for filters that come after the name."""
        return _text(self.value)


class FencedTemplate:
    """A rubric's compiled prompt. Safe for one thread at a time, as a run is."""

    def __init__(self, rubric: Rubric) -> None:
        """Compile the prompt. Raises ConfigError where it is no template."""
        self._rubric = rubric
        self._token = ""
        self._environment = Environment(
            undefined_behavior="strict",
            keep_trailing_newline=True,
            fuel=FUEL,
            auto_escape_callback=lambda name: False,
            finalizer=self._emit,
        )
        self._environment.add_filter("data", _named)
        self._own = own_texts(rubric)
        for line, why in unbounded(rubric.prompt):
            raise ConfigError([self._problem(ValueError(f"line {line}: {why}"))])
        try:
            self._environment.add_template(_TEMPLATE, rubric.prompt)
        except TemplateError as error:
            raise ConfigError([self._problem(error)]) from error

    def render(self, subject: Subject, token: str) -> str:
        """The prompt for a subject, its data in fences with `token`.

        Raises ConfigError for a template that reads what the subject does not have, or shows what
        is neither data nor a text of the rubric.
        """
        self._token = token
        try:
            return self._environment.render_template(
                _TEMPLATE,
                input=readable(subject.input),
                output=readable(subject.output),
                other=readable(subject.other),
                reference=subject.reference,
                documents=readable(
                    [
                        {"id": each.id, "index": each.index, "text": each.text}
                        for each in subject.documents
                    ]
                ),
                **self._own,
            )
        except (TemplateError, *RENDER_ERRORS) as error:
            raise ConfigError([self._problem(error)]) from error

    def _emit(self, value: Any) -> str:
        """What `{{ value }}` puts into the prompt: data is fenced, numbers need no fence."""
        name = "DATA"
        if isinstance(value, _Named):
            name, value = value.name, value.value
        if isinstance(value, Own):
            return value.text
        if value is None:
            return "(none)"
        if isinstance(value, bool | int | float):
            return json.dumps(value)
        return f"<<<{name} {self._token}\n{_text(value)}\n{self._token} {name}>>>"

    def _problem(self, error: Exception) -> Problem:
        detail = getattr(error, "detail", None) or getattr(error, "message", None) or str(error)
        if getattr(error, "kind", None) == "OutOfFuel":
            detail = "takes too many steps; a template has to end"
        line = getattr(error, "line", None)
        where = f"line {line} of the template" if line else "the template"
        return Problem(
            file=self._rubric.path,
            key=_TEMPLATE,
            message=f"{self._rubric.ref} cannot be shown to its judge: {where}: {detail}",
            expected="a template over what the judged outputs have",
        )


def split_at_data(prompt: str, token: str) -> tuple[str, str]:
    """A rendered prompt in two: what stands before its first fence, and the rest."""
    # the token occurs in fences alone, and the first of them opens
    named = prompt.find(f" {token}\n")
    start = len(prompt) if named < 0 else prompt.rfind("<<<", 0, named)
    return prompt[:start], prompt[start:]


def fence_token(subject: Subject, *, length: int = _TOKEN_LENGTH) -> str:
    """The token of a subject's fences: `length` digits of its digest that occur nowhere in it."""
    written = json.dumps(
        msgspec.to_builtins(subject), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    seed = written.encode("utf-8", "surrogatepass")
    while True:
        token = hashlib.sha256(seed).hexdigest()[:length]
        # letters and digits stand in JSON as they are, so it is in no text, key or id either
        if token not in written:
            return token
        seed = hashlib.sha256(seed).digest()


def own_texts(rubric: Rubric) -> dict[str, Any]:
    """What a template sees of its rubric: `criteria`, `anchors` and `scale`."""
    scale = rubric.scale
    return {
        "criteria": [Own(text) for text in rubric.criteria],
        "anchors": [
            {
                "text": Own(anchor.text),
                "verdict": Own(anchor.verdict or ""),
                "score": None if anchor.score is None else Own(f"{anchor.score:g}"),
                "why": Own(anchor.why),
            }
            for anchor in rubric.anchors
        ],
        "scale": {
            "kind": Own(scale.kind),
            "passes": Own(scale.passes),
            "fails": Own(scale.fails),
            "lowest": scale.lowest,
            "highest": scale.highest,
            "levels": [
                {"score": Own(score), "means": Own(means)} for score, means in scale.levels.items()
            ],
            "items": [
                {"name": Own(name), "question": Own(text)} for name, text in scale.items.items()
            ],
        },
    }


def _named(value: Any, name: str = "DATA") -> _Named:
    """The filter `data("NAME")`."""
    letters = "".join(each for each in str(name).upper() if each.isalnum() or each == "_")
    return _Named(letters or "DATA", value)


def _text(value: Any) -> str:
    """Data as it stands in a fence. Raises TypeError for what is no JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=1, default=_no_data)


def _no_data(value: Any) -> Any:
    if isinstance(value, Own):
        raise TypeError("texts of the rubric are shown one by one, by a loop over them")
    raise TypeError(f"a {type(value).__name__} is not what a prompt can show")
