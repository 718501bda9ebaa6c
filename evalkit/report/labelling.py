"""The labelling screen: an output and what it answers, and nothing that could sway who labels.

What a view holds is all that is shown: there is no verdict in it, no variant, no model, and no
other labeller's label unless somebody adjudicates.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.records.asset import Rubric
from evalkit.records.judgment import Subject
from evalkit.records.label import Label, LabelledItem
from evalkit.report.figures import count
from evalkit.report.html.shown_text import value_text
from evalkit.report.screen import Page, Screen, styled
from evalkit.report.untrusted import clip, one_line, visible

_EXCERPT = 160
_WORDS = {True: "pass", False: "fail"}
_PAIR_WORDS = {True: "output 1 is better", False: "output 2 is better"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One output on the screen. `number` of `total` is its place, `labelled` how many are done.

    `passes` and `fails` say what the two keys mean. `swapped` shows the second output of a pair
    first. `labels` are those that an adjudicator decides between.
    """

    rubric: str
    number: int
    total: int
    labelled: int
    subject: Subject
    passes: str = ""
    fails: str = ""
    swapped: bool = False
    labels: tuple[Label, ...] = ()
    note: str = ""
    message: str = ""

    @property
    def pair(self) -> bool:
        """Whether two outputs are compared."""
        return self.subject.other is not None

    @property
    def keys(self) -> Mapping[str, str]:
        """The keys that do something, with what they do."""
        sides = {"1": "first", "2": "second"} if self.pair else {"p": "pass", "f": "fail"}
        return {
            **sides,
            "s": "skip",
            "u": "undo",
            "n": "note",
            "?": "guideline",
            "q": "quit",
        }


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines of a screen: `head` and `foot` stay, `body` scrolls where there is no room."""

    head: tuple[str, ...]
    body: tuple[str, ...]
    foot: tuple[str, ...]


def render_item(view: ItemView, screen: Screen) -> Panel:
    """The screen of one output."""
    head = Page(screen)
    title = styled(view.rubric, "bold")
    title.append(f"  {view.number} of {view.total}, {view.labelled} labelled", style="dim")
    head.line(title)
    if view.pair:
        head.line("Which output is better?", hang=2)
    for key, words in (("p", view.passes), ("f", view.fails)):
        if words and not view.pair:
            head.labelled(f"{key} = ", one_line(words), indent=0, width=4)
    return Panel(_lines(head), _lines(_body(view, screen)), _lines(_foot(view, screen)))


def _body(view: ItemView, screen: Screen) -> Page:
    page, subject = Page(screen), view.subject
    for name, value in subject.input.items():
        _put(page, f"input: {one_line(name)}", value)
    for document in subject.documents:
        _put(page, f"document: {one_line(document.id)}", document.text)
    if subject.reference is not None:
        _put(page, "reference", subject.reference)
    if view.pair:
        outputs = [subject.output, subject.other]
        for number, output in enumerate(reversed(outputs) if view.swapped else outputs, 1):
            _put(page, f"OUTPUT {number}", output, style="bold cyan")
    else:
        _put(page, "OUTPUT", subject.output, style="bold cyan")
    if view.labels:
        page.line(styled("labels", "bold cyan"))
        for label in view.labels:
            # a pair's label is about the subject's output, which may stand second here
            said = label.passed != view.swapped
            put_label(page, label, (_PAIR_WORDS if view.pair else _WORDS)[said])
    return page


def _put(page: Page, title: str, value: Any, *, style: str = "dim") -> None:
    if isinstance(value, dict) and title.startswith("OUTPUT"):
        # a reply's fields read better under their names than as one structure
        page.line(styled(title, style))
        for key, field in value.items():
            page.line(styled(one_line(str(key)), "dim"), indent=2)
            page.line(visible(value_text(field)), indent=4)
    else:
        page.line(styled(title, style))
        page.line(visible(value_text(value)), indent=2)
    page.line()


def _foot(view: ItemView, screen: Screen) -> Page:
    page = Page(screen)
    if view.note:
        page.labelled("note ", one_line(view.note), indent=0, width=5)
    if view.message:
        page.line(styled(one_line(view.message), "yellow"))
    _put_keys(page, view.keys)
    return page


def _put_keys(page: Page, keys: Mapping[str, str]) -> None:
    """What each key does; a key and its word stay together."""
    line = ""
    for key, does in keys.items():
        longer = f"{line}  {key} {does}" if line else f"{key} {does}"
        if len(longer) > page.screen.width:
            page.literal(line)
            longer = f"{key} {does}"
        line = longer
    page.literal(line)


def put_label(page: Page, label: Label, words: str) -> None:
    """A label with who made it and why."""
    line = styled(f"{words}  ", "bold")
    line.append(f"{one_line(label.labeller)} ({label.by})")
    if label.note:
        line.append(f": {one_line(label.note)}")
    page.line(line, indent=2, hang=2)


def render_end(total: int, screen: Screen) -> Panel:
    """The screen after the last output."""
    head, foot = Page(screen), Page(screen)
    head.line(styled(f"That was the last of {count(total, 'output')}.", "bold"))
    foot.line("u undo  q end")
    return Panel(_lines(head), (), _lines(foot))


def render_guideline(rubric: Rubric, guideline: str | None, screen: Screen) -> Panel:
    """What who labels goes by: the written guideline, else the rubric's own words."""
    head, page, foot = Page(screen), Page(screen), Page(screen)
    head.line(styled(f"{rubric.ref}: guideline", "bold"))
    if guideline is not None:
        page.line(visible(guideline).rstrip("\n"))
    else:
        passes, fails = question_of(rubric)
        for words in (rubric.description, passes and f"Pass: {passes}", fails and f"Fail: {fails}"):
            if words:
                page.line(visible(words))
                page.line()
        for number, criterion in enumerate((*rubric.criteria, *rubric.scale.items.values()), 1):
            page.labelled(f"{number}. ", visible(criterion), indent=0, width=4)
        for anchor in rubric.anchors:
            verdict = anchor.verdict or (None if anchor.score is None else f"{anchor.score:g}")
            page.line()
            page.line(styled(f"example: {verdict}", "dim"))
            page.line(visible(anchor.text), indent=2)
            if anchor.why:
                page.line(styled(visible(anchor.why), "dim"), indent=2)
    foot.line("any key: back")
    return Panel(_lines(head), _lines(page), _lines(foot))


def question_of(rubric: Rubric) -> tuple[str, str]:
    """What a pass is, and what a fail."""
    scale = rubric.scale
    if scale.kind == "checklist":
        needed = {"all": "every one", "any": "one at least"}.get(
            scale.rule, f"{scale.at_least} at least"
        )
        return f"Yes to the questions: {needed}.", "Yes to fewer of them."
    if scale.kind == "graded":
        from_ = "" if scale.pass_from is None else f" (a score from {scale.pass_from:g} on)"
        return f"Good enough by the criteria{from_}.", "Not good enough."
    return scale.passes, scale.fails


def disagreements_text(items: Sequence[LabelledItem], rubric: Rubric, screen: Screen) -> str:
    """What labellers do not agree on, each with its labels, for a talk about the guideline."""
    page = Page(screen)
    if not items:
        page.line(f"{rubric.ref}: no labels differ.")
        return page.text()
    page.line(styled(f"{rubric.ref}: labels differ on {count(len(items), 'output')}", "bold"))
    for item in items:
        page.line()
        page.line(styled(item.id, "dim"))
        pair = item.subject.other is not None
        outputs = [item.subject.output, item.subject.other] if pair else [item.subject.output]
        for output in outputs:
            page.line(clip(one_line(value_text(output)), _EXCERPT), indent=2, hang=2)
        for label in item.labels:
            put_label(page, label, (_PAIR_WORDS if pair else _WORDS)[label.passed])
    page.line()
    page.line("They count nowhere until somebody decides:")
    page.literal(f"evalkit judge label {rubric.ref} --adjudicate", indent=2)
    return page.text()


def session_text(rubric: str, labels: Sequence[Label], *, left: int) -> str:
    """What a session came to."""
    passed = sum(label.passed for label in labels)
    if not labels:
        return f"{rubric}: nothing was labelled; {count(left, 'output')} left"
    rest = f"{count(left, 'output')} left" if left else "nothing is left"
    return (
        f"{rubric}: {who_words(kinds_of(labels))} ({passed:,} pass, {len(labels) - passed:,} "
        f"fail); {rest}"
    )


def imported_text(
    file: str,
    *,
    rows: int,
    new: int,
    by: Mapping[str, int],
    known: int,
    unlabelled: int,
    disputed: int,
) -> str:
    """What an import brought."""
    parts = [f"{count(rows, 'row')} read, {count(new, 'new output')}", who_words(by)]
    if known:
        parts.append(f"there already: {count(known, 'label')}")
    if unlabelled:
        parts.append(f"{count(unlabelled, 'output')} without a label yet")
    if disputed:
        parts.append(f"labels differ on {count(disputed, 'output')}: --disagreements lists them")
    return f"{file}: " + "; ".join(part for part in parts if part)


def who_words(by: Mapping[str, int]) -> str:
    """How many labels there are of whom: only a person's are ever called human."""
    made = {"person": "by people", "model": "by a model", "rule": "by a rule"}
    return ", ".join(
        f"{count(number, 'label')} made {made[kind]}" for kind, number in by.items() if number
    )


def kinds_of(labels: Iterable[Label]) -> Counter[str]:
    """How many labels are of each kind of labeller."""
    return Counter(label.by for label in labels)


def _lines(page: Page) -> tuple[str, ...]:
    text = page.text().rstrip("\n")
    return tuple(text.split("\n")) if text else ()
