"""`evalkit history --flaky SUITE`: cases that an unchanged baseline passes only sometimes."""

import json
import shlex
import sys
from collections.abc import Sequence
from datetime import date, timedelta

from evalkit.records.history import FlakyCases
from evalkit.records.run import Flake
from evalkit.report.figures import count
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line

# long enough to look into a case, short enough to be remembered
_QUARANTINE = timedelta(days=14)
_FEWEST = 5


def flaky_text(found: FlakyCases, *, today: date, screen: Screen | None = None) -> str:
    """The cases with how often they passed, and the block for evalkit.yaml that leaves them out."""
    page = Page(screen or screen_of(sys.stdout))
    suite = one_line(found.suite)
    title = styled(suite, "bold").append(f"  {_headline(found)}")
    page.line(title, hang=2)
    if not found.flaky:
        return page.text()
    page.line()
    page.table(
        ("case", "passed", "of", ""),
        [
            (
                one_line(flake.case),
                f"{flake.passes:,}",
                f"{flake.runs:,}",
                "in quarantine" if flake.case in found.quarantined else "",
            )
            for flake in found.flaky
        ],
    )
    new = [flake for flake in found.flaky if flake.case not in found.quarantined]
    page.line()
    if new and found.room:
        words = "To leave them out of the gate for two weeks, merge this into evalkit.yaml"
        if len(new) > found.room:
            words += f" (`max_share` has room for {count(found.room, 'case')}: the least steady)"
        page.line(f"{words}:")
        page.line()
        for line in _block(found.suite, new[: found.room], today + _QUARANTINE):
            page.literal(line)
    elif new:
        page.line(
            "A quarantine has no room for more (`max_share` of the suite). Repair the least steady "
            "cases, or remove them."
        )
    else:
        page.line("All of them are in quarantine already.")
    return page.text()


def _headline(found: FlakyCases) -> str:
    if found.content is None:
        return (
            "no finished run of its baseline is stored, so nothing is known of its steadiness; "
            "runs of `evalkit run` add to it"
        )
    known = (
        f"of {count(found.cases, 'case')}, {found.enough:,} were measured {_FEWEST} times or more"
    )
    if found.enough == 0:
        command = f"evalkit run {shlex.quote(one_line(found.suite))} --trials {_FEWEST}"
        return (
            f"{known}; none can be called flaky before that. The baseline as it is now was "
            f"measured {count(found.most, 'time')} at most, and a replay is no new measurement: on "
            f"a live model `{command}` makes enough"
        )
    if not found.flaky:
        return f"{known}, and each of those passed always or never"
    return f"{known}; {len(found.flaky):,} of those passed sometimes"


def _block(suite: str, flakes: Sequence[Flake], until: date) -> list[str]:
    """YAML to paste. A JSON text is a YAML text too, so no name can become anything else."""
    lines = [
        "suites:",
        f"  {json.dumps(suite)}:" if not suite.isidentifier() else f"  {suite}:",
        "    quarantine:",
        "      cases:",
    ]
    for flake in flakes:
        reason = f"passed {flake.passes} of {flake.runs} measurements of an unchanged baseline"
        lines.append(
            f"        {json.dumps(flake.case)}: "
            f"{{until: {json.dumps(until.isoformat())}, reason: {json.dumps(reason)}}}"
        )
    return lines
