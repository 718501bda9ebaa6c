"""What `evalkit waive` prints: the new entry and what to do with it, or the list of all."""

import json
import sys
from collections.abc import Sequence

from evalkit.records.verdict import Waiver
from evalkit.report.figures import count
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line, visible
from evalkit.sources.waiver_entries import entry_data, entry_text
from evalkit.sources.waivers import WAIVERS_FILE
from evalkit.workflows.waivers.states import StatedWaiver
from evalkit.workflows.waivers.waiving import Waived


def waived_text(waived: Waived) -> str:
    """The entry as it was written, and what comes next."""
    waiver = waived.waiver
    first = "would be added to" if not waived.written else "was added to"
    lines = [
        f"{one_line(waiver.part)} of {one_line(waiver.suite)}, as run {waived.run} measured it: "
        f"this {first} {WAIVERS_FILE}",
        "",
        visible(entry_text(waiver)).rstrip("\n"),
        "",
        *(f"in place of {one_line(old.id)}, until {old.until}" for old in waived.replaced),
        f"next: commit {WAIVERS_FILE}, have it reviewed, and run again; after {waiver.until} the "
        "suite does not pass until it is removed or renewed",
    ]
    return "\n".join(lines)


def waived_json(waived: Waived) -> str:
    """The waiver, the ones it stands for, and whether the file was written."""
    return _dumped(
        {
            "waiver": entry_data(waived.waiver),
            "replaced": [entry_data(old) for old in waived.replaced],
            "run": waived.run,
            "file": WAIVERS_FILE,
            "written": waived.written,
        }
    )


def waivers_text(stated: Sequence[StatedWaiver], *, screen: Screen | None = None) -> str:
    """Every waiver with its state; `screen` is stdout's unless given."""
    if not stated:
        return f"nothing is waived: {WAIVERS_FILE} holds no waiver\n"
    page = Page(screen or screen_of(sys.stdout))
    for each in stated:
        waiver = each.waiver
        title = styled(one_line(waiver.id), "bold")
        title.append(f"  {state_words(each)}", style=_STYLES[each.state])
        page.line(title, hang=2)
        rows = (
            ("part", f"{waiver.part} of {waiver.suite}, {cover_words(waiver)}"),
            ("until", f"{waiver.until}, accepted on {waiver.on} by {waiver.accepted_by}"),
            ("reason", waiver.reason),
        )
        for label, text in rows:
            page.labelled(label, one_line(text))
    return page.text()


_STYLES = {"in force": "green", "unused": "yellow", "expired": "red"}


def waivers_json(stated: Sequence[StatedWaiver]) -> str:
    """Every waiver with its state."""
    return _dumped(
        {
            "waivers": [
                {
                    **entry_data(each.waiver),
                    "line": each.waiver.line,
                    "state": each.state,
                    "days": each.days,
                    "run": each.run,
                }
                for each in stated
            ]
        }
    )


def removed_text(waiver: Waiver) -> str:
    """That it is gone, and what comes next."""
    return (
        f"waiver {one_line(waiver.id)} ({one_line(waiver.part)} of {one_line(waiver.suite)}) was "
        f"removed from {WAIVERS_FILE}; commit it"
    )


def removed_json(waiver: Waiver) -> str:
    """The waiver that is gone."""
    return _dumped({"removed": entry_data(waiver), "file": WAIVERS_FILE})


def state_words(each: StatedWaiver) -> str:
    """'in force, 12 days left', 'expired 3 days ago', 'in force, and run X did not need it'."""
    if each.state == "expired":
        return f"expired {count(each.days, 'day')} ago"
    left = "ends today" if each.days == 0 else f"{count(each.days, 'day')} left"
    if each.state == "unused":
        return f"unused: run {each.run} did not need it; {left}"
    return f"in force, {left}"


def cover_words(waiver: Waiver) -> str:
    """How far it reaches."""
    if waiver.up_to is not None:
        return f"up to {waiver.up_to:g}" + ("" if waiver.part.startswith("metric:") else " pp")
    if waiver.at_least is not None:
        return f"at least {100 * waiver.at_least:g} %"
    if waiver.cases:
        shown = ", ".join(waiver.cases[:5])
        more = f" and {len(waiver.cases) - 5} more" if waiver.cases[5:] else ""
        return f"in {count(len(waiver.cases), 'case')}: {shown}{more}"
    return f"to the letter: {waiver.text}"


def _dumped(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
