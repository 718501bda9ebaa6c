"""A report as a browser's parser would see it, for tests: its elements, its text, its data."""

import json
from html.parser import HTMLParser
from typing import Any

_EMPTY = {"meta", "link", "input", "br", "hr", "wbr"}
_RAW = {"script", "style"}


class HtmlPage(HTMLParser):
    """Parses a whole document. An element that is not closed, or closed twice, fails."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.raw: list[tuple[dict[str, str | None], str]] = []
        self._open: list[str] = []
        self._raw_parts: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self._open.append(tag)
        self._raw_parts = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, f"</{tag}> ends {self._open[-3:]}"
        self._open.pop()
        if tag in _RAW:
            self.raw.append((self.elements[-1][1], "".join(self._raw_parts)))

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] in _RAW:
            self._raw_parts.append(data)
        else:
            self.words.append(data)

    @property
    def text(self) -> str:
        """All text that is no script and no style, with single blanks."""
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self, id_: str) -> Any:
        """What a data element holds."""
        return next(json.loads(text) for attrs, text in self.raw if attrs.get("id") == id_)

    def details(self) -> list[dict[str, Any]]:
        """The details of all cases in the list's order."""
        chunks = [text for attrs, text in self.raw if (attrs.get("id") or "").startswith("cases-")]
        return [case for chunk in chunks for case in json.loads(chunk)]
