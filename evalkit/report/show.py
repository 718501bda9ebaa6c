"""`evalkit show`: what did it do, what did it cost, why did it decide that."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.case import Case
from evalkit.records.case_view import AttemptView, CaseView, SuiteCaseView
from evalkit.records.score import Score
from evalkit.report.case_block import mapping_lines, role_words
from evalkit.report.case_view import build_case_view
from evalkit.report.evidence import SCRIPTED_NOTE
from evalkit.report.figures import seconds, usd
from evalkit.report.judgments import judgment_rows
from evalkit.report.output_diff import call_text
from evalkit.report.run_json import run_json
from evalkit.report.run_summary import run_summary
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.story import tell
from evalkit.report.story_block import put_decisions, put_story, put_total
from evalkit.report.untrusted import clip, one_line, visible

__all__ = ["build_case_view", "case_json", "case_text", "run_json", "run_summary"]

_MOST_TEXT = 20_000
_LABEL = 11


def case_json(view: CaseView) -> str:
    """The view as indented JSON (`evalkit.case/1`)."""
    return msgspec.json.format(msgspec.json.encode(view), indent=2).decode()


def case_text(view: CaseView, *, screen: Screen | None = None) -> str:
    """The case on a terminal: the question, then each attempt with what it did, cost and why."""
    page = Page(screen or screen_of(sys.stdout))
    for suite in view.suites:
        _put_question(page, view, suite)
        if any(each.attempt.origin == "scripted" for each in suite.attempts):
            page.labelled("scripted", SCRIPTED_NOTE, width=_LABEL, style="yellow")
        page.line()
        for attempt in suite.attempts:
            _put_attempt(page, attempt, suite.apart)
        if not suite.attempts:
            page.line("No attempt at it was made.", indent=2)
            page.line()
    return page.text()


def _put_question(page: Page, view: CaseView, suite: SuiteCaseView) -> None:
    case = suite.case
    title = styled(one_line(case.id), "bold")
    title.append(f"  {one_line(suite.suite)}, run {one_line(view.run)}", style="dim")
    if suite.place:
        title.append(f"  {one_line(suite.place)}", style="dim")
    page.line(title, hang=2)
    for label, values in (("input", case.input), ("expected", case.expected)):
        for name, text in mapping_lines(label, values, whole=True):
            page.labelled(name, clip(text, _MOST_TEXT), width=_LABEL, hang=2)
    for label, text in _context(case):
        page.labelled(label, one_line(text), width=_LABEL)


def _context(case: Case) -> list[tuple[str, str]]:
    documents = ", ".join(f"{each.id} ({each.index})" for each in case.documents)
    approvals = ", ".join(
        f"{tool} by {given.get('granted_by', '?')} ({given.get('team', '?')})"
        for tool, given in case.approvals.items()
    )
    rows = [
        ("documents", documents),
        ("user says", " / ".join(one_line(str(turn["says"])) for turn in case.conversation)),
        ("approvals", approvals),
        ("group", case.group or ""),
        ("tags", ", ".join(case.tags)),
    ]
    return [row for row in rows if row[1]]


def _put_attempt(page: Page, view: AttemptView, apart: Sequence[str]) -> None:
    attempt = view.attempt
    word, style = {
        True: ("passed", "green"),
        False: ("failed", "red"),
        None: ("no result", "magenta"),
    }[view.passed]
    title = styled(f"{attempt.variant}, trial {attempt.trial}: ", "bold").append(word, style=style)
    page.line(title)
    for label, text in _done(view):
        page.labelled(label, text, width=_LABEL)
    _put_said(page, view)
    page.labelled("cost", _cost(view), width=_LABEL)
    _put_happened(page, view)
    _put_scores(page, view, apart)
    for judgment in view.judgments:
        for label, words in judgment_rows(judgment):
            page.labelled(label, words, width=_LABEL, hang=2)
    page.line()


def _done(view: AttemptView) -> list[tuple[str, str]]:
    """What was asked of which model, where the answer came from, what it fell back from."""
    attempt = view.attempt
    model = one_line(attempt.model or attempt.planned_model or "no model")
    if attempt.model_id and attempt.model_id != attempt.model:
        model += f" ({one_line(attempt.model_id)})"
    rows = [
        ("asked", f"{model}, prompt {one_line(attempt.prompt)}, route {one_line(attempt.route)}"),
        ("answer", _answer(view)),
    ]
    if attempt.planned_model and attempt.model and attempt.model != attempt.planned_model:
        rows.append(("planned", f"{one_line(attempt.planned_model)} should have answered"))
    rows += [
        ("fell back", one_line(f"from {hop.model}: {hop.code}: {hop.message}"))
        for hop in attempt.fallbacks
    ]
    if attempt.documents:
        rows.append(("retrieved", one_line(", ".join(attempt.documents))))
    if attempt.citations:
        rows.append(("cited", one_line(", ".join(attempt.citations))))
    return rows


def _answer(view: AttemptView) -> str:
    attempt = view.attempt
    words: str = attempt.state
    if attempt.failure_mode and attempt.state != "blocked":  # that a policy did it, its rule says
        words += f", {attempt.failure_mode}"
    if attempt.rule:
        words += f" by {one_line(attempt.rule)}"
    origin = {
        None: "no reply",
        "live": "a live reply",
        "cache": "a reply from the cache",
        "recording": "a recorded reply",
        "scripted": "a scripted reply, written by hand",
    }[attempt.origin]
    words += f": {origin}"
    if attempt.measured_at:
        words += f", measured {one_line(attempt.measured_at)}"
    if attempt.tries > 1:
        words += f", after {attempt.tries} tries"
    if attempt.finish_reason not in (None, "stop"):
        words += f", finish reason {one_line(attempt.finish_reason or '')}"
    return words


def _put_said(page: Page, view: AttemptView) -> None:
    attempt = view.attempt
    if attempt.error:
        page.labelled("error", clip(visible(attempt.error), _MOST_TEXT), width=_LABEL)
    if attempt.output is not None:
        page.labelled("output", clip(visible(attempt.output), _MOST_TEXT), width=_LABEL)
    for call in attempt.tool_calls:
        allowed = "allowed" if call.name in attempt.allowed_tools else "not allowed"
        page.labelled("tool call", f"{one_line(call_text(call))}, {allowed}", width=_LABEL)


def _cost(view: AttemptView) -> str:
    attempt, usage = view.attempt, view.attempt.usage
    cached = f" ({usage.cached_tokens:,} of them cached)" if usage.cached_tokens else ""
    estimated = ", estimated from lengths" if usage.estimated else ""
    price = usd(attempt.cost_usd) + (" list price" if attempt.cost_usd else "")
    live = attempt.origin == "live" and attempt.latency_s is not None
    latency = f", {seconds(attempt.latency_s)}" if live else ""
    return (
        f"{usage.input_tokens:,} tokens in{cached}, {usage.output_tokens:,} out{estimated}; "
        f"{price}, {usd(attempt.billed_usd)} billed{latency}"
    )


def _put_happened(page: Page, view: AttemptView) -> None:
    """The story: what it did step by step, what each step cost, why each decision was made."""
    attempt = view.attempt
    told, nobodys = tell(attempt.steps, view.spans, view.decisions)
    if not told and not nobodys:
        words = "no decision was recorded" if view.traced else "no trace is stored"
        page.labelled("why", words, width=_LABEL)
        return
    page.line(styled("step by step", "dim"), indent=2)
    put_story(page, told)
    put_decisions(page, nobodys)
    put_total(page, told)
    if not view.traced:
        page.labelled("", "(only what a policy denied or changed is stored)", width=_LABEL)


def _put_scores(page: Page, view: AttemptView, apart: Sequence[str]) -> None:
    judged = {judgment.scorer for judgment in view.judgments}
    for number, score in enumerate(view.scores):
        word, style = _score_word(score)
        text = styled(f"{one_line(score.scorer)}: ").append(word, style=style)
        text.append(role_words(gate=score.gate, apart=score.scorer in apart))
        if score.message and not score.passed and score.scorer not in judged:
            text.append(f": {one_line(score.message)}")
        page.labelled("" if number else "scores", text, width=_LABEL, hang=2)
    if not view.scores:
        page.labelled("scores", "none", width=_LABEL)


def _score_word(score: Score) -> tuple[str, str]:
    """What a score says, and its style."""
    if score.state == "not_applicable":
        return "does not apply", "dim"
    if score.state == "error":
        return "the scorer failed", "magenta"
    if score.passed is None:
        return "no verdict", "magenta"
    return ("pass", "green") if score.passed else ("fail", "red")
