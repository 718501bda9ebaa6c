"""Tables of figures: plain cells, read row by row; a wide one scrolls by itself."""

from collections.abc import Iterable, Sequence

from evalkit.report.html.element import Markup, element


def figures_table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str | Markup | None]],
    *,
    words: Iterable[int] = (),
    hidden_caption: bool = False,
    class_: str = "",
) -> Markup:
    """A table whose first column names the row and whose others hold figures, right-aligned.

    `words` are the columns that hold text. `hidden_caption` is for one that a heading says already.
    """
    texts = frozenset(words)
    head = [
        _head_cell(title, None if _is_text(number, texts) else "number")
        for number, title in enumerate(header)
    ]
    table = element(
        "table",
        element("caption", caption, class_="unseen" if hidden_caption else None),
        element("thead", element("tr", head)),
        element("tbody", (_row(row, texts) for row in rows)),
        class_=f"figures {class_}".strip(),
    )
    return element("div", table, class_="scrolls", tabindex=0, role="group", aria_label=caption)


def _head_cell(title: str, class_: str | None) -> Markup:
    """A heading; where there is nothing to say, a cell that is none."""
    return element("th", title, scope="col", class_=class_) if title else element("td")


def _row(row: Sequence[str | Markup | None], texts: frozenset[int]) -> Markup:
    name, *cells = row
    return element(
        "tr",
        element("th", name, scope="row"),
        (
            element("td", cell, class_=None if _is_text(number, texts) else "number")
            for number, cell in enumerate(cells, start=1)
        ),
    )


def _is_text(number: int, texts: frozenset[int]) -> bool:
    return number == 0 or number in texts
