"""`evalkit trace`: stored sessions, as a list and one by one."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.span import SessionTrace
from evalkit.report.figures import count, seconds, usd
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.story import tell
from evalkit.report.story_block import put_decisions, put_story, put_total
from evalkit.report.untrusted import one_line

_LABEL = 11
_ROOMY = 90


def traces_json(traces: Sequence[SessionTrace]) -> str:
    """The list as indented JSON (`evalkit.traces/1`), without what each session did."""
    rows = []
    for trace in traces:
        row = msgspec.to_builtins(trace)
        del row["spans"], row["decisions"], row["schema"]
        rows.append(row)
    said = {"schema": "evalkit.traces/1", "traces": rows}
    return msgspec.json.format(msgspec.json.encode(said), indent=2).decode()


def trace_json(trace: SessionTrace) -> str:
    """One session as indented JSON (`evalkit.session_trace/1`)."""
    return msgspec.json.format(msgspec.json.encode(trace), indent=2).decode()


def traces_text(traces: Sequence[SessionTrace], *, screen: Screen | None = None) -> str:
    """A session a line, the newest first."""
    screen = screen or screen_of(sys.stdout)
    page = Page(screen)
    if not traces:
        page.line("No stored session fits.")
        return page.text()
    roomy = screen.width >= _ROOMY
    header = [
        "trace",
        "began (UTC)",
        "route",
        *(["user"] if roomy else []),
        "calls",
        "USD",
        "ended",
    ]
    rows = []
    for trace in traces:
        who = [trace.user or trace.identity or "–"] if roomy else []
        at = trace.at[5:16].replace("T", " ") if not roomy else trace.at[:19].replace("T", " ")
        rows.append(
            [
                trace.trace_id[:8],
                at,
                one_line(trace.route),
                *who,
                f"{trace.calls:,}",
                usd(trace.cost_usd),
                _ended(trace),
            ]
        )
    page.table(header, rows, indent=0, folds=True)
    return page.text()


def _ended(trace: SessionTrace) -> str:
    words = f"{trace.denied:,} denied" if trace.denied else ""
    if trace.error:
        words = f"{words}, {trace.error}" if words else trace.error
    return one_line(words) or "well"


def trace_text(trace: SessionTrace, *, screen: Screen | None = None) -> str:
    """A session as a story: what it did, what each step cost, why each decision was made."""
    page = Page(screen or screen_of(sys.stdout))
    title = styled(f"Session on {one_line(trace.route)}", "bold")
    title.append(f"  {trace.trace_id}", style="dim")
    page.line(title, hang=2)
    for label, text in _facts(trace):
        page.labelled(label, one_line(text), width=_LABEL)
    page.line()
    told, nobodys = tell((), trace.spans, trace.decisions)
    put_story(page, told)
    put_decisions(page, nobodys)
    if not told:
        page.line("Nothing was asked of it.", indent=2)
    put_total(page, told)
    if not trace.content:
        page.labelled(
            "content", "not kept; `telemetry: {content: redacted}` keeps it", width=_LABEL, hang=2
        )
    return page.text()


def _facts(trace: SessionTrace) -> list[tuple[str, str]]:
    names = (("user", trace.user), ("org", trace.org), ("team", trace.team))
    who = ", ".join(f"{key} {name}" for key, name in names if name)
    prompt = trace.spans[0].attributes if trace.spans else {}
    reference = "@".join(
        str(prompt[key])
        for key in ("gen_ai.prompt.name", "gen_ai.prompt.version")
        if prompt.get(key)
    )
    used = f"{trace.input_tokens:,} tokens in, {trace.output_tokens:,} out; {usd(trace.cost_usd)}"
    facts = [
        ("began", f"{trace.at[:19].replace('T', ' ')} UTC, took {seconds(trace.duration_s)}"),
        ("for", f"{who} (pseudonyms)" if who else "nobody named"),
        ("prompt", reference),
        ("talk", trace.conversation),
        ("cost", f"{count(trace.calls, 'call')}, {used}, {usd(trace.billed_usd)} billed"),
        ("use", trace.use),
        ("ended", "" if trace.error is None else f"with {trace.error}"),
    ]
    return [fact for fact in facts if fact[1]]
