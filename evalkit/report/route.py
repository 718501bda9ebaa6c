"""`evalkit route explain`: a route before a call, as text and as JSON."""

import sys
from collections.abc import Sequence

import msgspec

from evalkit.records.route import BudgetExplained, ModelExplained, RouteExplained
from evalkit.report.evidence import SCRIPTED_NOTE
from evalkit.report.figures import count, quantity, usd
from evalkit.report.route_permissions import (
    cap_words,
    mode_words,
    permission_words,
    step_words,
)
from evalkit.report.route_pressure import kind_words, limit_words, pressure_rows, work_rows
from evalkit.report.screen import Page, Screen, screen_of, styled
from evalkit.report.untrusted import one_line

_LABEL = 13
_REPLIES = {
    "live": "live",
    "cache": "from the cache",
    "recording": "recorded",
    "scripted": "scripted",
}


def route_json(route: RouteExplained) -> str:
    """The explanation as indented JSON (`evalkit.route/1`)."""
    return msgspec.json.format(msgspec.json.encode(route), indent=2).decode()


def route_text(route: RouteExplained, *, screen: Screen | None = None) -> str:
    """Who would be asked and why, then who follows when, then the limits. Nothing was called."""
    page = Page(screen or screen_of(sys.stdout))
    first = route.models[0]
    title = styled(one_line(route.route), "bold")
    title.append(f"  {_headline(route, first)}")
    page.line(title, hang=2)
    for label, words in work_rows(route):
        page.labelled(label, one_line(words), width=_LABEL)
    if route.prompt is not None:
        case = "" if route.case is None else f", case {route.case}"
        words = f"{route.prompt} of suite {route.suite}{case}"
        page.labelled("prompt", one_line(words), width=_LABEL)
    if route.bounds_note is not None:
        page.labelled("bounds", f"not known: {one_line(route.bounds_note)}", width=_LABEL)
    for number, model in enumerate(route.models, start=1):
        page.line()
        _put_model(page, number, model)
    page.line()
    for label, words in (*_fallback_rows(route), *pressure_rows(route), *_limit_rows(route)):
        page.labelled(label, one_line(words), width=_LABEL)
    if any(model.replies == "scripted" for model in route.models):
        page.line()
        page.labelled("scripted", SCRIPTED_NOTE, indent=0, style="yellow")
    return page.text()


def _headline(route: RouteExplained, first: ModelExplained) -> str:
    if route.blocked is not None:
        return f"no model would be asked: {one_line(route.blocked)}"
    words = f"a call would go to {one_line(first.name)}"
    if first.missing:
        return f"{words}, which cannot answer here"
    if first.over_budget is not None:
        return _refused(route, first)
    return f"{words}, through {one_line(first.provider)}"


def _refused(route: RouteExplained, first: ModelExplained) -> str:
    """Where a call goes that the budgets do not hold: to a cheaper model, or nowhere."""
    by_name = {model.name: model for model in route.models}
    model, refused = first, [one_line(first.name)]
    while model.degrades_to is not None:
        model = by_name[model.degrades_to]
        if model.over_budget is None:
            why = f"the budgets refuse one to {', '.join(refused)}"
            return f"a call would go to {one_line(model.name)}: {why}"
        refused.append(one_line(model.name))
    return f"a call would not be made: the budgets refuse one to {', '.join(refused)}"


def _put_model(page: Page, number: int, model: ModelExplained) -> None:
    title = styled(f"{number}  ", "dim").append(one_line(model.name), "bold")
    if model.id != model.name:
        title.append(f"  {one_line(model.id)}", "dim")
    page.line(title, hang=3)
    page.labelled("why", one_line(model.why), width=_LABEL)
    if kind := kind_words(model):
        page.labelled("is", one_line(kind), width=_LABEL)
    source = f", {one_line(model.source)}" if model.source else ""
    there = f"{_REPLIES[model.replies]}, {one_line(model.provider)} ({model.kind}{source})"
    page.labelled("replies", there, width=_LABEL)
    for gone in model.missing:
        page.labelled("missing", one_line(gone), width=_LABEL, style="red")
    if model.input_tokens is not None and model.output_tokens is not None:
        parts = ", ".join(f"{part} {size:,}" for part, size in model.input_tokens.items())
        total = sum(model.input_tokens.values())
        words = f"{total:,} tokens in ({parts}), {model.output_tokens:,} out: "
        page.labelled("at most", one_line(words + usd(model.max_cost_usd)), width=_LABEL)
    elif not model.priced:
        page.labelled("price", "none is known", width=_LABEL)
    if model.limits is not None:
        page.labelled("limits", limit_words(model.limits), width=_LABEL)
    if model.over_budget is not None:
        page.labelled("budget", one_line(model.over_budget), width=_LABEL, style="red")


def _fallback_rows(route: RouteExplained) -> list[tuple[str, str]]:
    """When the next model is asked; without one, what ends the call."""
    tries = (
        count(route.retries, "more try") if route.retries == 1 else f"{route.retries} more tries"
    )
    first = f"each live call may take {quantity(route.timeout_s)} s and has {tries}"
    after = _modes(route.falls_on)
    never = _modes(route.never)
    if sum(model.asked != "degrade" for model in route.models) == 1:
        return [("tries", first), ("fallback", f"none: {after} end the call as an error")]
    return [
        ("tries", first),
        ("next after", f"{after} of the model before"),
        ("never after", f"{never}, or an answer that turns out to be bad"),
    ]


def _modes(modes: Sequence[str]) -> str:
    return ", ".join(mode.replace("_", " ") for mode in modes)


def _limit_rows(route: RouteExplained) -> list[tuple[str, str]]:
    by = "" if route.max_tokens_by == "route" else " (evalkit's default: the route names none)"
    caps = [f"{route.max_tokens:,} tokens out{by}"]
    if route.max_tool_calls is not None:
        caps.append(count(route.max_tool_calls, "tool call"))
    caps += cap_words(route.permissions)
    if route.max_chunks is not None:
        caps.append(count(route.max_chunks, "chunk"))
    if route.max_retrieved_tokens is not None:
        caps.append(f"{count(route.max_retrieved_tokens, 'token')} of chunks")
    rows = [("caps", ", ".join(caps)), ("policies", _policy_words(route))]
    rows += [("step", step_words(name, step)) for name, step in route.permissions.steps.items()]
    rows += [("budget", _budget_words(each)) for each in route.budgets]
    if not route.budgets:
        rows.append(("budget", "none: nothing caps what calls cost"))
    if route.owner is not None:
        rows.append(("owner", route.owner))
    return rows


def _policy_words(route: RouteExplained) -> str:
    words = []
    if route.pii_redaction and set(route.screens.values()) <= {"redact"}:
        words.append("personal data is redacted")
    else:
        for mode, done in (("redact", "redacted"), ("block", "blocked"), ("warn", "told of")):
            if kinds := [kind for kind, its in route.screens.items() if its == mode]:
                words.append(f"{', '.join(kinds)} {done}")
    if route.disallow_actions:
        words.append(f"never calls {', '.join(route.disallow_actions)}")
    if route.allow_indexes is not None:
        words.append(f"reads only {', '.join(route.allow_indexes) or 'no index'}")
    if route.require_citations:
        words.append(f"replies must cite{mode_words(route.permissions, 'require_citations')}")
    if route.approval_by is not None:
        words.append(f"executing needs {route.approval_by}")
    words += permission_words(route.permissions)
    return "; ".join(words) or "none"


def _budget_words(budget: BudgetExplained) -> str:
    caps = [] if budget.max_usd is None else [usd(budget.max_usd)]
    if budget.max_tokens is not None:
        caps.append(f"{budget.max_tokens:,} tokens")
    words = f"{' and '.join(caps)} a {budget.scope}"
    if budget.only is not None:
        words = f"{' and '.join(caps)} for {budget.scope} {budget.only}"
    if budget.window != budget.scope:
        words += f", each {budget.window}"
    taken = []
    if budget.max_usd is not None and budget.taken_usd is not None:
        taken.append(
            f"{usd(budget.taken_usd)} spent, {usd(_left(budget.max_usd, budget.taken_usd))} left"
        )
    if budget.max_tokens is not None and budget.taken_tokens is not None:
        left = round(_left(budget.max_tokens, budget.taken_tokens))
        taken.append(f"{budget.taken_tokens:,} tokens spent, {left:,} left")
    words += "".join(f"; {each}" for each in taken)
    if budget.on_exceed == "degrade":
        words += "; a cheaper model is asked when it runs low"
    return f"{words}; live calls are held against it before they leave"


def _left(cap: float, taken: float) -> float:
    return max(0.0, cap - taken)
