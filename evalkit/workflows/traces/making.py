"""A case out of a stored session: what it holds, and what a person has to look at."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import msgspec

from evalkit.control.redaction.redactor import Redactor
from evalkit.errors import Refused, UsageError
from evalkit.records.asset import Agent, Prompt
from evalkit.records.call import Message
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.digest import digest_of
from evalkit.records.json_text import decode_json, may_be_container
from evalkit.records.span import SessionTrace
from evalkit.sources.expectations import DRAFT
from evalkit.workflows.traces.inputs import fit_conversation, fit_prompt, only_text_key
from evalkit.workflows.traces.observed import Observed, observe

KIND = "trace"
MESSAGES = "messages"
_SHORT, _LONG = 8, 32


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a case beyond its trace. `input` and `expected` take the place of what is
    found; `answer_expected` takes what production answered, for a person to confirm."""

    case_id: str | None = None
    tags: tuple[str, ...] = ()
    group: str | None = None
    input: dict[str, Any] | None = None
    expected: dict[str, Any] | None = None
    answer_expected: bool = False


class Users(msgspec.Struct, frozen=True, kw_only=True):
    """What the suites that use a golden set say of its cases: their `prompts` and `agents`, and the
    keys of `expected` that their scorers read."""

    prompts: tuple[Prompt, ...] = ()
    agents: tuple[Agent, ...] = ()
    reads: tuple[str, ...] = ()


class MadeCase(msgspec.Struct):
    """A case, and `review`: what has to be looked at or filled in before it counts."""

    case: Case
    review: list[str] = msgspec.field(default_factory=list)


def make_case(
    trace: SessionTrace, wanted: Wanted, *, known: Cases, users: Users, today: date
) -> MadeCase:
    """The case that a session becomes. `known` are those that stand in the set already.

    Raises Refused for a session whose input is not to be had, and for a text that would not be
    stored anywhere else; UsageError for an id that is taken.
    """
    seen = observe(trace)
    review: list[str] = []
    case_input, says = _input(seen, wanted, known=known, users=users, review=review)
    if users.agents and not users.prompts:  # an attempt of an agent is all its turns
        seen = msgspec.structs.replace(seen, asks_for=seen.all_calls)
    expected = _expected(seen, wanted, users.reads, review)
    case = Case(
        id=_free_id(trace, wanted, known),
        input=case_input,
        expected=expected,
        tags=wanted.tags,
        group=wanted.group,
        documents=seen.documents,
        tools=_scripts(seen, review),
        conversation=tuple({"says": text} for text in says),
        identity={
            key: name
            for key, name in (("user", trace.user), ("org", trace.org), ("team", trace.team))
            if name
        },
        source=_source(trace, seen, wanted),
        added=today.isoformat(),
    )
    if case.identity:
        review.append(
            "identity: pseudonyms, which no scope and no permission names; put a test user there "
            "where the case depends on who asks"
        )
    if seen.lost:
        review.append(
            f"documents: the trace does not hold the texts of {', '.join(seen.lost)}; add them, or "
            "declare the index in evalkit.yaml"
        )
    review += [f"cut after 20,000 characters, complete it: {part}" for part in seen.cut]
    _check_redacted(case)
    return MadeCase(case=case, review=review)


def _free_id(trace: SessionTrace, wanted: Wanted, known: Cases) -> str:
    if wanted.case_id is not None:
        if known.has(wanted.case_id):
            raise UsageError(
                f"there is a case {wanted.case_id!r} already; choose another --case-id"
            )
        return wanted.case_id
    short = f"{KIND}-{trace.trace_id[:_SHORT]}"
    return f"{KIND}-{trace.trace_id[:_LONG]}" if known.has(short) else short


def _input(
    seen: Observed, wanted: Wanted, *, known: Cases, users: Users, review: list[str]
) -> tuple[dict[str, Any], Sequence[str]]:
    """The input, and what the user goes on to say."""
    if wanted.input is not None:
        return wanted.input, seen.says
    for prompt in users.prompts:
        found = fit_prompt(prompt, seen.asked, seen.documents)
        if found is not None:
            return found, seen.says
    for agent in users.agents:
        fitting = fit_conversation(agent, seen.heard, seen.documents)
        if fitting is not None:
            return fitting
    if all(MESSAGES in case.input for case in known):
        if not known:
            review.append(
                "input.messages: as the application sent them, since no prompt of a suite renders "
                "to them"
            )
        return {MESSAGES: [plain_message(each) for each in seen.asked]}, seen.says
    spoken = [each.content for each in seen.asked if each.role == "user"]
    key = only_text_key([case.input for case in known])
    if key is None or not spoken:
        known_prompts = (*users.prompts, *(agent.prompt for agent in users.agents))
        prompts = ", ".join(prompt.reference for prompt in known_prompts) or "no prompt"
        raise Refused(
            f"the session's messages do not tell the input of a case: they were not rendered from "
            f"{prompts}, and the cases of the set have more than one text in their input; give it "
            "as JSON: --input FILE, or - for stdin"
        )
    review.append(
        f"input.{key}: what the user wrote, word for word; were the application's own words around "
        "it, take them out"
    )
    if any(each.role == "assistant" for each in seen.asked):
        review.append(
            "conversation: what the user wrote later; the answers in between are not kept"
        )
    return {key: spoken[0]}, (*spoken[1:], *seen.says)


def plain_message(message: Message) -> dict[str, Any]:
    """A message as a case holds it."""
    plain: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        plain["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments or {}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _expected(
    seen: Observed, wanted: Wanted, reads: Collection[str], review: list[str]
) -> dict[str, Any]:
    if wanted.expected is not None:
        return wanted.expected
    keys = f" ({', '.join(reads)})" if reads else ""
    if not wanted.answer_expected:
        review.append(f"expected: empty; fill in what the suite's scorers read{keys}")
        return {}
    drafted = draft_expected(seen, reads)
    if drafted:
        review.append(
            "expected: what production answered, right or wrong; correct it, and take "
            "`expected: draft` out of `source`"
        )
    else:
        review.append(f"expected: the answer has nothing that scorers read{keys}; fill it in")
    return drafted


def draft_expected(seen: Observed, reads: Collection[str]) -> dict[str, Any]:
    """What would be expected, were the answer right: of the keys that scorers read, those that it
    has; without scorers the whole output."""
    if seen.blocked_by is not None:
        return {"blocked": True, "blocked_by": seen.blocked_by}
    parsed: Any = None
    if may_be_container(seen.answer):
        try:
            parsed = decode_json(seen.answer)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            parsed = None
    whole: Mapping[str, Any] = {
        "output": seen.answer,
        "reference": seen.answer,
        "tool_calls": [
            {"name": call.name, "arguments": call.arguments or {}} for call in seen.asks_for
        ],
    }
    found = parsed if isinstance(parsed, dict) else {}
    wanted = tuple(reads) or ("output",)
    drafted = {key: found[key] for key in wanted if key in found}
    return drafted | {
        key: whole[key] for key in wanted if key not in drafted and whole.get(key) not in (None, "")
    }


def _scripts(seen: Observed, review: list[str]) -> dict[str, list[dict[str, Any]]]:
    untold = dict.fromkeys(call.name for call in seen.calls if not call.told)
    if untold:
        review.append(
            f"tools: the trace does not know what {', '.join(untold)} answered; write it in"
        )
    return tool_fixtures(seen)


def tool_fixtures(seen: Observed) -> dict[str, list[dict[str, Any]]]:
    """What each tool answered, call after call, as the world of a case."""
    scripts: dict[str, list[dict[str, Any]]] = {}
    for call in seen.calls:
        if not call.told:
            continue
        when = {} if call.arguments is None else call.arguments
        answer = {"raises": call.error} if call.error is not None else {"returns": call.result}
        entries = scripts.setdefault(call.name, [])
        if not entries or entries[-1] != {"when": when, **answer}:
            entries.append({"when": when, **answer})
    return scripts


def _source(trace: SessionTrace, seen: Observed, wanted: Wanted) -> dict[str, Any]:
    """Where the case comes from, and how it was made."""
    at = datetime.fromisoformat(trace.at)
    year, week, _ = at.isocalendar()
    source: dict[str, Any] = {
        "kind": KIND,
        "trace": trace.trace_id,
        "at": trace.at,
        "week": f"{year}-W{week:02}",
        "route": trace.route,
        "model": seen.model,
        "digest": digest_of(msgspec.to_builtins(trace)),
    }
    if seen.prompt:
        source["prompt"] = seen.prompt
    if wanted.expected is None and wanted.answer_expected:
        source["expected"] = DRAFT
    return source


def _check_redacted(case: Case) -> None:
    """Raise Refused where a text of the case still holds what the redaction of a trace takes out:
    a trace that somebody edited, or an --input or --expected with real data in it."""
    parts: dict[str, Any] = {
        "input": case.input,
        "expected": case.expected,
        "documents": [each.text for each in case.documents],
        "tools": case.tools,
        "conversation": list(case.conversation),
    }
    for name, value in parts.items():
        redactor = Redactor()
        redactor.redact_value(value)
        if redactor.replaced:
            kinds = ", ".join(sorted(redactor.replaced))
            raise Refused(
                f"the case would hold personal data or a secret in its {name} ({kinds}); write "
                "the placeholder that stands for it instead, such as [EMAIL_1]"
            )
