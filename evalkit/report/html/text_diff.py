"""Two texts line by line, as a unified diff with the words that differ marked in their lines."""

import difflib
from collections.abc import Iterable, Sequence

from evalkit.report.html.effort import Effort
from evalkit.report.html.element import Markup, element
from evalkit.report.words import diff_words

_CONTEXT = 3
# matching lines is quadratic at worst
_MOST_LINES = 2_000
_MOST_SHOWN = 1_500

Line = tuple[str, Sequence[tuple[str, bool]]]
"""A sign (`-`, `+`, blank or `…`), and the text in segments: (text, only on its own side)."""


def text_diff(before: str, after: str, *, label: str) -> Markup:
    """The lines that differ with three around them; signs tell the sides apart, not colour.

    `label` says what the texts are, for whoever does not see the heading.
    """
    if before == after:
        words = (
            "The texts are the same; the digests differ in what is not shown, such as redactions."
        )
        return element("p", words, class_="about")
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _MOST_LINES:
        words = f"Too long to compare here: {len(old):,} lines before, {len(new):,} after."
        return element("p", words, class_="about")
    lines = list(diff_lines(old, new))
    more = len(lines) - _MOST_SHOWN
    rows = [_row(sign, segments) for sign, segments in lines[:_MOST_SHOWN]]
    note = (
        element("p", f"{more:,} more lines are not shown.", class_="legend") if more > 0 else None
    )
    table = element("div", rows, class_="text-diff", tabindex=0, role="group", aria_label=label)
    return element("div", table, note)


def diff_lines(old: Sequence[str], new: Sequence[str]) -> Iterable[Line]:
    """The diff's lines; lines that were replaced one for one have their words matched."""
    effort = Effort(left=8_000_000)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for number, group in enumerate(matcher.get_grouped_opcodes(_CONTEXT)):
        if number:
            yield "…", ()
        for tag, i, j, k, m in group:
            if tag == "equal":
                yield from ((" ", [(line, False)]) for line in old[i:j])
            else:
                yield from _replaced(old[i:j], new[k:m], effort)


def _replaced(old: Sequence[str], new: Sequence[str], effort: Effort) -> Iterable[Line]:
    paired = len(old) == len(new) and effort.allows("\n".join(old), "\n".join(new))
    if not paired:
        yield from (("-", [(line, False)]) for line in old)
        yield from (("+", [(line, False)]) for line in new)
        return
    pairs = [diff_words(one, other) for one, other in zip(old, new, strict=True)]
    yield from (("-", before) for before, _ in pairs)
    yield from (("+", after) for _, after in pairs)


def _row(sign: str, segments: Sequence[tuple[str, bool]]) -> Markup:
    if sign == "…":
        return element("div", "…", class_="gap")
    name = {"-": "del", "+": "ins"}.get(sign, "span")
    partly = len({changed for _, changed in segments}) > 1
    text = [
        element("mark", part) if changed and partly else part for part, changed in segments
    ] or [" "]
    written = {"-": "−", "+": "+"}.get(sign, " ")
    return element(
        "div",
        element("span", written, class_="sign"),
        element(name, text, class_="line", dir="auto"),
        class_={"-": "gone", "+": "new"}.get(sign, "kept"),
    )
