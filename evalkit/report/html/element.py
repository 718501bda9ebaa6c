"""HTML built from elements, in which only what is marked as markup is markup.

Everything else is text: what a terminal would obey is written out (`untrusted.visible`), then
escaped. So text of models, cases and servers can stand anywhere a string is accepted.
"""

from collections.abc import Iterable

from evalkit.report.untrusted import html_text, visible

Attribute = str | int | bool | None
_EMPTY = frozenset({"meta", "link", "input", "br", "hr", "wbr"})


class Markup(str):
    """HTML that is safe as it stands; made by `element` and `join`, or from text of ours."""

    __slots__ = ()


Child = str | None
Children = Child | Iterable[Child]


def element(name: str, /, *children: Children, **attributes: Attribute) -> Markup:
    """`<name …>children</name>`. Strings are escaped, None is left out, iterables are unrolled.

    `class_` gives `class`, `aria_label` gives `aria-label`. An attribute that is True stands alone;
    one that is None or False is left out.
    """
    opening = f"<{name}{''.join(_attribute(*each) for each in attributes.items())}>"
    if name in _EMPTY:
        return Markup(opening)
    return Markup(f"{opening}{''.join(_flat(children))}</{name}>")


def join(*children: Children) -> Markup:
    """The children one after another, without an element around them."""
    return Markup("".join(_flat(children)))


def escape(text: str) -> Markup:
    """Text as HTML that shows it and does nothing else; markup stays what it is."""
    if isinstance(text, Markup):
        return text
    return Markup(html_text(visible(text)))


def _flat(children: Iterable[Children]) -> Iterable[str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            yield escape(child)
        else:
            yield from _flat(child)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escape(str(value))}"'
