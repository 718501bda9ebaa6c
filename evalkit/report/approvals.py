"""`evalkit approvals`: requests and decisions, as text and as JSON."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.approval import Approval, ApprovalsListed
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line

_LABEL = 11
_STYLES = {"pending": "yellow", "granted": "green", "denied": "red", "used": "dim"}


def approvals_json(approvals: Sequence[Approval]) -> str:
    """The approvals as indented JSON (`evalkit.approvals/1`)."""
    listed = ApprovalsListed(approvals=tuple(approvals))
    return msgspec.json.format(msgspec.json.encode(listed), indent=2).decode()


def approvals_text(approvals: Sequence[Approval], *, screen: Screen | None = None) -> str:
    """Each approval with what it is for and how it stands."""
    page = Page(screen or screen_of(sys.stdout))
    if not approvals:
        page.line("nothing waits for an approval")
        return page.text()
    for number, each in enumerate(approvals):
        if number:
            page.line()
        _put_approval(page, each)
    return page.text()


def _put_approval(page: Page, each: Approval) -> None:
    title = styled(f"{each.id}  ", "bold")
    title.append(each.state, _STYLES[each.state])
    title.append(f"  {one_line(each.words)}")
    page.line(title, hang=2)
    shown = msgspec.json.encode(each.asked.arguments).decode()
    page.labelled("arguments", one_line(shown), width=_LABEL)
    who = each.asked.identity or "nobody in particular"
    page.labelled("asked", f"for {who} at {each.asked_at}", width=_LABEL)
    if each.by:
        page.labelled(
            "by", one_line(f"{each.by} of {each.by_team}, {_decision(each)}"), width=_LABEL
        )
    if each.state == "pending":
        command = f"evalkit approvals grant {each.id} --as USER --team {each.asked.team}"
        page.labelled("to grant", one_line(command), width=_LABEL)


def _decision(each: Approval) -> str:
    """What was decided last, and for how long."""
    scope = ", with any arguments" if each.any_arguments else ""
    if each.state == "denied":
        return f"at {each.decided_at}: {each.reason}"
    if each.state == "granted":
        return f"for one call until {each.expires_at}{scope}"
    if each.state == "used":
        return f"used at {each.used_at}{scope}"
    return f"granted at {each.decided_at}, and expired before it was used"
