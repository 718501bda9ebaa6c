"""One changed case on a terminal: what was asked and expected, before, after, and what broke."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalkit.records.comparison import CaseChange, Finding, Side
from evalkit.report.figures import seconds, tokens, usd
from evalkit.report.marks import KIND_STYLES
from evalkit.report.output_diff import Line, diff_sides
from evalkit.report.screen import Page, styled
from evalkit.report.structures import encode
from evalkit.report.untrusted import clip, one_line, visible

if TYPE_CHECKING:
    from rich.text import Text

_MOST_INPUT = 320
_MOST_OUTPUT = 600
_MOST_MESSAGE = 300
_LABEL = 10


def put_change(page: Page, change: CaseChange) -> None:
    """The whole entry of one case."""
    title = styled(one_line(change.case), f"bold {KIND_STYLES[change.kind]}")
    title.append(f"  {trial_words(change)}")
    if change.place:
        title.append(f"  {one_line(change.place)}", style="dim")
    page.line(title, indent=2, hang=2)
    for label, text in mapping_lines("input", change.input):
        page.labelled(label, clip(text, _MOST_INPUT), indent=4, width=_LABEL)
    for label, text in mapping_lines("expected", change.expected):
        page.labelled(label, clip(text, _MOST_INPUT), indent=4, width=_LABEL)
    _put_sides(page, change)
    _put_findings(page, change)
    page.labelled("cost", cost_words(change), indent=4, width=_LABEL)
    if change.tags:
        page.labelled("tags", one_line(", ".join(change.tags)), indent=4, width=_LABEL)
    page.line()


def trial_words(change: CaseChange) -> str:
    """How often the case passed on each side: 'passed, now fails', 'passed 3 of 4, now 1 of 4'."""
    after = change.after
    if change.before is None:
        return _result_words(after)
    before = change.before
    if len(before.passed) == len(after.passed) == 1:
        words = {True: "passed", False: "failed", None: "no result"}
        now = {True: "now passes", False: "now fails", None: "now no result"}
        if before.passed == after.passed:
            same = {
                True: "passes as before",
                False: "fails as before",
                None: "no result on either side",
            }
            return same[after.passed[0]]
        return f"{words[before.passed[0]]}, {now[after.passed[0]]}"
    return f"{_result_words(before)} before, {_result_words(after)} after"


def _result_words(side: Side) -> str:
    if len(side.passed) == 1:
        return {True: "passes", False: "fails", None: "no result"}[side.passed[0]]
    words = f"{side.passes} of {len(side.passed)} passed"
    return f"{words} ({side.unknown} without a result)" if side.unknown else words


def mapping_lines(
    label: str, values: Mapping[str, Any], *, whole: bool = False
) -> Iterable[tuple[str, str]]:
    """A mapping as labelled lines: the label on the first, one line a key; `whole` keeps breaks."""
    if not values:
        yield label, "nothing"
    for number, (key, value) in enumerate(values.items()):
        text = value if isinstance(value, str) else encode(value)
        shown = visible(text) if whole else one_line(text)
        yield label if number == 0 else "", f"{one_line(key)}: {shown}"


def cost_words(change: CaseChange) -> str:
    """USD, tokens and latency of the shown trials, before → after."""
    sides = [side for side in (change.before, change.after) if side is not None]
    parts = [
        " → ".join(_usd(side) for side in sides),
        " → ".join(tokens(side.tokens) for side in sides) + " tokens",
    ]
    if any(side.origin == "live" for side in sides):
        parts.append(" → ".join(seconds(side.latency_s) for side in sides))
    words = " · ".join(parts)
    origins = [_origin(side) for side in sides]
    return f"{words} · {' → '.join(dict.fromkeys(origins))}"


def _usd(side: Side) -> str:
    """The list price; a dash for a call that used nothing, which needs no price."""
    return "–" if side.cost_usd is None and not side.tokens else usd(side.cost_usd)


def _origin(side: Side) -> str:
    if side.origin is None:
        return "no call"
    model = one_line(side.model)
    return f"{model} ({side.origin})" if model else side.origin


def _put_sides(page: Page, change: CaseChange) -> None:
    shown = diff_sides(change.before, change.after)
    silent = change.after.state in ("error", None)
    if shown.equal:
        _put_lines(page, "both" if silent else "both said", shown.after, "default")
        return
    if change.before is None:
        _put_lines(page, "result" if silent else "said", shown.after, "default")
        return
    _put_lines(page, "before", shown.before, "red")
    _put_lines(page, "after", shown.after, "green")


def _put_lines(page: Page, label: str, lines: Sequence[Line], style: str) -> None:
    for number, line in enumerate(lines):
        text = styled("")
        if line.path:
            text.append(f"{one_line(line.path)}: ", style="dim")
        text.append_text(_marked(page, line, style))
        page.labelled(label if number == 0 else "", text, indent=4, width=_LABEL)


def _marked(page: Page, line: Line, style: str) -> "Text":
    """The text with what only this side has coloured, or bracketed where there is no colour."""
    text = styled("")
    room = _MOST_OUTPUT
    opening, closing = ("[-", "-]") if style == "red" else ("{+", "+}")
    for part, changed in line.segments:
        if room <= 0:
            text.append(" …", style="dim")
            break
        shown = visible(part)
        shown = shown if len(shown) <= room else clip(shown, room)
        room -= len(part)
        if changed and line.partly and not page.screen.color:
            shown = f"{opening}{shown}{closing}"
        text.append(shown, style=style if changed else "default")
    return text


def _put_findings(page: Page, change: CaseChange) -> None:
    label = "was wrong" if change.kind == "fix" else "broke"
    fresh = [finding for finding in change.findings if finding.fresh]
    old = [finding for finding in change.findings if not finding.fresh]
    for number, finding in enumerate(fresh):
        page.labelled(label if number == 0 else "", finding_words(finding), indent=4, width=_LABEL)
    for number, finding in enumerate(old):
        page.labelled(
            "also wrong" if number == 0 else "", finding_words(finding), indent=4, width=_LABEL
        )


def role_words(*, gate: bool, apart: bool) -> str:
    """What a scorer that decides no case is: ' (decides apart)' for a judge, else ' (advisory)'."""
    if gate:
        return ""
    return " (decides apart)" if apart else " (advisory)"


def finding_words(finding: Finding) -> str:
    """The scorer and its message: 'exact: expected cancel, found wish'."""
    name = one_line(finding.scorer) + role_words(gate=finding.gate, apart=finding.apart)
    if finding.state == "error":
        name += " (the scorer failed)"
    message = clip(one_line(finding.message), _MOST_MESSAGE)
    if not message:
        message = f"expected {encode(finding.expected)}, found {encode(finding.found)}"
        message = clip(one_line(message), _MOST_MESSAGE)
    return f"{name}: {message}"
