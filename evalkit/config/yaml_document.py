"""Strict YAML: every value with its place, and nothing that reads differently than it looks."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from evalkit.config.document import MAX_DEPTH, Document, Node
from evalkit.config.encoding import decode_text, refuse_controls
from evalkit.config.scalars import resolve_plain
from evalkit.errors import ConfigError, Problem

MAX_BYTES = 32 * 1024 * 1024
# An alias bomb multiplies; honest reuse of a few settings stays far below this.
MAX_ALIASED = 5_000

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_FOUND = re.compile(r"^(did not find|could not find) ")


def parse_yaml(raw: bytes, file: str) -> Document:
    """The one document of a YAML file, as plain data with places.

    Raises ConfigError with everything that is wrong: not UTF-8, syntax, duplicate keys, keys that
    are not texts, NaN and Infinity, custom tags, alias bombs, too deep, several documents, empty.
    """
    if len(raw) > MAX_BYTES:
        limit = MAX_BYTES // 1024 // 1024
        message = f"has {len(raw) / 1024 / 1024:.0f} MB, and a YAML file is read whole"
        suggestion = "put cases into cases.jsonl, which is read line by line"
        raise ConfigError(
            [Problem(file=file, message=message, expected=f"{limit} MB", suggestion=suggestion)]
        )
    text = decode_text(raw, file)
    refuse_controls(text, file)
    composer = _Composer(file)
    root = composer.compose(text)
    if root is None and not composer.problems:
        composer.problems.append(Problem(file=file, line=1, column=1, message="is empty"))
    if composer.problems or root is None:
        raise ConfigError(composer.problems)
    return Document(file, root.value, lambda: root)


class _Open:
    """A mapping or sequence whose end has not come yet."""

    __slots__ = ("anchor", "has_key", "key", "key_place", "node")

    def __init__(self, node: Node, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.has_key = False
        self.key: str | None = None
        self.key_place = (0, 0)


class _Composer:
    """Builds nodes from the parser's events, without recursion, noting what is wrong."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node] = {}
        self._aliased = 0
        self._root: Node | None = None

    def compose(self, text: str) -> Node | None:
        documents = 0
        for event in self._events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._note(event.start_mark, "a second document starts here", "one document")
                    break
            elif isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
                if not self._start(event):
                    break
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._end()
            elif isinstance(event, yaml.AliasEvent) and not self._alias(event):
                break
        return self._root

    def _events(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._note(mark, _words(error))
        except yaml.YAMLError as error:
            self.problems.append(Problem(file=self.file, message=f"is not YAML: {error}"))

    def _scalar(self, event: Any) -> None:
        node = _node(event)
        node.block = event.style in ("|", ">")
        text: str = event.value
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            self._note(event.start_mark, f"the tag {_tag(event.tag)} is not supported")
        if self._expects_key():
            self._take_key(event, node)
            return
        node.value = text
        if event.style in ("", None) and event.implicit[0] and event.tag is None:
            try:
                node.value = resolve_plain(text)
            except ValueError as error:
                self._note(event.start_mark, str(error), value=text[:60])
        self._anchor(event.anchor, node)
        self._put(node)

    def _take_key(self, event: Any, node: Node) -> None:
        text: str = event.value
        current = self._stack[-1]
        current.has_key, current.key = True, text
        current.key_place = (node.line, node.column)
        if event.style in ("", None):
            if text == "<<":
                self._note(event.start_mark, "merge keys (<<) are not supported", key=text)
            elif not _is_text(text):
                self._note(
                    event.start_mark,
                    "a key has to be a text",
                    value=text or "nothing",
                    suggestion=f'put it in quotes: "{text}"',
                )
        if (first := current.node.keys.get(text)) is not None:
            self._note(
                event.start_mark, f"the key stands here twice, first in line {first[0]}", key=text
            )

    def _start(self, event: Any) -> bool:
        if self._expects_key():
            self._note(event.start_mark, "a key has to be a text, not a list or mapping")
            return False
        if len(self._stack) >= MAX_DEPTH:
            self._note(event.start_mark, f"is nested more than {MAX_DEPTH} levels deep")
            return False
        if event.tag is not None:
            self._note(event.start_mark, f"the tag {_tag(event.tag)} is not supported")
        node = _node(event)
        node.value = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(node, event.anchor))
        return True

    def _end(self) -> None:
        closed = self._stack.pop()
        self._anchor(closed.anchor, closed.node)
        self._put(closed.node)

    def _alias(self, event: Any) -> bool:
        if self._expects_key():
            self._note(event.start_mark, "an alias cannot be a key")
            return False
        node = self._anchors.get(event.anchor)
        if node is None:
            inside = any(each.anchor == event.anchor for each in self._stack)
            why = "would contain itself" if inside else "has no anchor before it"
            self._note(event.start_mark, f"the alias *{event.anchor} {why}")
            node = Node(None, event.start_mark.line + 1, event.start_mark.column + 1)
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            self._note(
                event.start_mark,
                f"aliases repeat more than {MAX_ALIASED} values",
                suggestion="write the values out",
            )
            return False
        self._put(node)
        return True

    def _anchor(self, name: str | None, node: Node) -> None:
        if name is not None:
            self._anchors[name] = node

    def _expects_key(self) -> bool:
        if not self._stack:
            return False
        current = self._stack[-1]
        return isinstance(current.node.value, dict) and not current.has_key

    def _put(self, node: Node) -> None:
        if not self._stack:
            self._root = node
            return
        current = self._stack[-1]
        parent = current.node
        if isinstance(parent.value, dict):
            assert current.key is not None
            parent.value[current.key] = node.value
            parent.add(current.key, node, current.key_place)
            current.has_key, current.key = False, None
        else:
            parent.add(len(parent.value), node)
            parent.value.append(node.value)

    def _note(self, mark: Any, message: str, expected: str | None = None, **more: str) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        self.problems.append(
            Problem(
                file=self.file,
                line=line,
                column=column,
                message=message,
                expected=expected,
                **more,  # type: ignore[arg-type]  # key, value and suggestion are texts
            )
        )


def _node(event: Any) -> Node:
    return Node(None, event.start_mark.line + 1, event.start_mark.column + 1)


def _is_text(plain: str) -> bool:
    try:
        return isinstance(resolve_plain(plain), str)
    except ValueError:
        return False


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _words(error: yaml.MarkedYAMLError) -> str:
    """The parser's complaint, turned into a sentence about the file."""
    problem = _NOT_FOUND.sub("lacks ", error.problem or "cannot be parsed")
    message = f"is not YAML: {problem}"
    context, started = error.context, error.context_mark
    if context and started is not None:
        message += f", {context} that starts in line {started.line + 1}"
    return message
