"""Symbols drawn as SVG, so that they look alike everywhere; none stands without its word."""

from evalkit.records.comparison import ChangeKind
from evalkit.records.verdict import Outcome
from evalkit.report.html.element import Markup, element, join

_LINE = 'fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"'
_CUT = 'fill="none" stroke="var(--surface)" stroke-width="1.8" stroke-linecap="round"'
_DISC = '<circle cx="8" cy="8" r="7.5" fill="currentColor"/>'
_SHAPES = {
    "pass": f'{_DISC}<path d="M4.6 8.4l2.3 2.3 4.6-5" {_CUT}/>',
    "fail": f'{_DISC}<path d="M5.2 5.2l5.6 5.6M10.8 5.2l-5.6 5.6" {_CUT}/>',
    "unsure": f'{_DISC}<path d="M5.9 6.2a2.1 2.1 0 1 1 3.3 1.7c-.8.5-1.2.9-1.2 1.6" {_CUT}/>'
    '<circle cx="8" cy="12" r="1.05" fill="var(--surface)"/>',
    "broken": '<path d="M8 1L15.5 14.5H.5z" fill="currentColor" stroke="currentColor" '
    f'stroke-linejoin="round"/><path d="M8 6v3.6" {_CUT}/>'
    '<circle cx="8" cy="12.1" r="1" fill="var(--surface)"/>',
    "pause": f'{_DISC}<path d="M6.2 5v6M9.8 5v6" {_CUT}/>',
    "none": f'<circle cx="8" cy="8" r="6.5" {_LINE}/><path d="M5 8h6" {_LINE}/>',
    "cross": f'<path d="M3.5 3.5l9 9M12.5 3.5l-9 9" {_LINE}/>',
    "check": f'<path d="M2.8 8.6l3.4 3.4 7-7.8" {_LINE}/>',
    "flip": f'<path d="M2 5.5h11M10 2.5l3 3-3 3M14 11H3M6 8l-3 3 3 3" {_LINE}/>',
    "shield": f'<path d="M8 1.2l5.5 2v4.3c0 3.6-2.3 6-5.5 7.3-3.2-1.3-5.5-3.7-5.5-7.3V3.2z" '
    f"{_LINE}/>",
    "pen": f'<path d="M2 14l.8-3.4L10.5 3l2.6 2.6-7.7 7.6z" {_LINE}/>',
    "bell": f'<path d="M3 11.5h10l-1.3-2V6.8a3.7 3.7 0 0 0-7.4 0v2.7zM6.8 13.8h2.4" {_LINE}/>',
    "note": f'<path d="M8 7.2v4.3" {_LINE}/><circle cx="8" cy="4.4" r="1.2" fill="currentColor"/>',
    "theme": '<circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    '<path d="M8 1.5a6.5 6.5 0 0 1 0 13z" fill="currentColor"/>',
    "back": f'<path d="M9.5 3L4.5 8l5 5" {_LINE}/>',
    "forth": f'<path d="M6.5 3l5 5-5 5" {_LINE}/>',
}
OUTCOME_ICONS = {
    Outcome.PASS: "pass",
    Outcome.FAIL: "fail",
    Outcome.INCONCLUSIVE: "unsure",
    Outcome.INCOMPLETE: "broken",
    Outcome.NOT_MEASURED: "none",
}
OUTCOME_TONES = {
    Outcome.PASS: "good",
    Outcome.FAIL: "bad",
    Outcome.INCONCLUSIVE: "unsure",
    Outcome.INCOMPLETE: "odd",
    Outcome.NOT_MEASURED: "unsure",
}
KIND_ICONS: dict[ChangeKind, str] = {
    "regression": "fail",
    "error": "broken",
    "fix": "pass",
    "flip": "flip",
    "failing": "cross",
    "same": "check",
}
KIND_TONES: dict[ChangeKind, str] = {
    "regression": "bad",
    "error": "odd",
    "fix": "good",
    "flip": "unsure",
    "failing": "bad",
    "same": "good",
}


def icon(name: str) -> Markup:
    """The symbol at the size of the text beside it."""
    use = Markup(f'<use href="#icon-{name}"></use>')
    return element("svg", use, class_="icon", aria_hidden="true", width=16, height=16)


def sprite() -> Markup:
    """Every symbol once, and the hatching that marks what is past a limit; nothing is shown."""
    symbols = [
        Markup(f'<symbol id="icon-{name}" viewBox="0 0 16 16">{shapes}</symbol>')
        for name, shapes in _SHAPES.items()
    ]
    hatch = Markup(
        '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
        'patternTransform="rotate(45)"><path d="M0 0V6" class="hatch-line"></path></pattern>'
    )
    return element(
        "svg", join(hatch, symbols), class_="sprite", width=0, height=0, aria_hidden="true"
    )


def outcome_mark(outcome: Outcome, word: str) -> Markup:
    """Symbol and word of an outcome, in its tone."""
    return element(
        "span",
        icon(OUTCOME_ICONS[outcome]),
        element("span", word),
        class_=f"mark tone-{OUTCOME_TONES[outcome]}",
    )
