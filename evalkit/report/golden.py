"""`evalkit golden`: a case that was added, as text and as JSON."""

import sys

import msgspec

from evalkit.records.golden import AddedCase
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line, visible


def added_json(added: AddedCase) -> str:
    """The case and the change as indented JSON (`evalkit.golden_add/1`)."""
    return msgspec.json.format(msgspec.json.encode(added), indent=2).decode()


def added_text(added: AddedCase, *, screen: Screen | None = None) -> str:
    """The change line by line, and what a person has to look at before it counts."""
    page = Page(screen or screen_of(sys.stdout))
    did = "is now in" if added.written else "would be in"
    title = styled(f"Case {one_line(added.case.id)} {did} {one_line(added.golden)}", "bold")
    if added.new_version:
        title.append("  a new version, made of the one before it", style="dim")
    page.line(title, hang=2)
    page.line()
    for line in added.lines:
        page.literal(visible(line))
    page.line()
    page.line("To review:")
    for text in added.review:
        page.labelled("-", one_line(text), width=2)
    if added.pinned:
        names = ", ".join(one_line(name) for name in added.pinned)
        page.labelled(
            "-", f"`golden: {one_line(added.golden)}` in evalkit.yaml, for {names}", width=2
        )
    page.labelled("-", f"then `evalkit check`, and `evalkit golden freeze {added.golden}`", width=2)
    return page.text()
