"""Changes to a judged text that should not change its verdict: deterministic, in any language.

What is changed is the longest text of the output (the first one of equally long ones): the prose,
where an output has fields beside it. An output without any text cannot be changed.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from evalkit.records.judgment import Subject

TextPath = tuple[str | int, ...]
Change = Callable[[str], str]


def change_output(subject: Subject, change: Change) -> Subject:
    """The subject with the judged text of its output changed; the same one without any text."""
    return msgspec.structs.replace(subject, output=_changed(subject.output, change))


def change_input(subject: Subject, change: Change) -> Subject:
    """The same with the longest text of its input."""
    return msgspec.structs.replace(subject, input=_changed(subject.input, change))


def pad(subject: Subject) -> Subject:
    """The subject with its own sentences said a second time.

    That is about twice as long and says nothing new, in whatever language it is written: there is
    no filler of ours that a judge could find out of place.
    """
    return change_output(subject, _padded)


def _padded(text: str) -> str:
    again = " ".join(text.split())
    return f"{text.rstrip()}\n\n{again}" if again else text


def _changed(value: Any, change: Change) -> Any:
    path = _longest(value)
    return value if path is None else _with(value, path, change(_at(value, path)))


def _longest(value: Any) -> TextPath | None:
    best: TextPath | None = None
    length = 0
    for path, text in _texts(value, ()):
        if len(text) > length:
            best, length = path, len(text)
    return best


def _texts(value: Any, path: TextPath) -> list[tuple[TextPath, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in _texts(each, (*path, key))]
    if isinstance(value, list):
        return [found for n, each in enumerate(value) for found in _texts(each, (*path, n))]
    return []


def _at(value: Any, path: TextPath) -> str:
    for step in path:
        value = value[step]
    return str(value)


def _with(value: Any, path: TextPath, text: str) -> Any:
    """A copy of the value with `text` at `path`; what is not on the way is shared."""
    if not path:
        return text
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = _with(value[path[0]], path[1:], text)
    return copy
