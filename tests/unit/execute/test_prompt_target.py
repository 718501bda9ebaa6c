"""One case through one prompt: how it ends for whatever a model, a policy or a provider does."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from evalkit.errors import (
    BudgetExhausted,
    ConfigError,
    InvalidReply,
    PolicyBlocked,
    ProviderError,
    StoreError,
)
from evalkit.execute.prompt_target import PromptTarget
from evalkit.ports import Clock
from evalkit.records.asset import Output, Prompt, Retrieve, Tool
from evalkit.records.attempt import Attempt, FailureMode
from evalkit.records.call import Completion, Decision, Fallback, ToolCall
from evalkit.records.case import Case, Document

Build = Callable[..., Any]
JSON = Output(kind="json", schema={"type": "object"})
TEXT = Output()
TOOLS = (Tool(name="lookup_order", effect="read"), Tool(name="refund_customer"))


class Opened:
    """A session that is there already, whether it is needed or not."""

    keeping = False

    def __init__(self, session: Any) -> None:
        self.session = lambda: session
        self.prepare = session.prepare


@pytest.fixture
def play(prompt: Callable[..., Prompt], case: Callable[..., Case], clock: Clock) -> Build:
    """Play a case against a session; what changes the prompt comes by keyword."""

    def run(
        session: Any, *, of: Case | None = None, templates: tuple[str, ...] = (), **changes: Any
    ) -> Attempt:
        target = PromptTarget(prompt(*templates, **changes), route="support")
        return asyncio.run(
            target.attempt(
                session,
                of or case(),
                suite="triage",
                variant="candidate",
                trial=2,
                clock=clock,
            )
        )

    return run


def test_an_answer_is_kept_with_everything_that_was_measured(
    play: Build, open_session: Build, completion: Build
) -> None:
    attempt = play(open_session(completion("billing")))
    assert attempt.state == "answered"
    assert attempt.place == ("triage", "candidate", "t-1", 2)
    assert attempt.at == "2026-11-24T19:30:00.000+00:00"
    assert (attempt.output, attempt.parsed, attempt.error) == ("billing", None, None)
    assert (attempt.key, attempt.origin) == ("k1", "live")
    assert (attempt.model, attempt.planned_model, attempt.model_id) == ("m", "m", "m-1-2026")
    assert (attempt.prompt, attempt.route) == ("triage@v1", "support")
    assert (attempt.usage.total, attempt.cost_usd, attempt.billed_usd) == (25, 0.002, 0.002)
    assert (attempt.latency_s, attempt.tries, attempt.finish_reason) == (0.4, 1, "stop")
    assert (attempt.measurement_id, attempt.measured_at) == ("req-1", "2026-11-24T19:29:00+00:00")


def test_the_prompt_s_tools_parameters_output_and_the_trial_are_asked_for(
    play: Build, open_session: Build, completion: Build
) -> None:
    session = open_session(completion("{}"))
    play(session, tools=TOOLS, params={"temperature": 0}, output=JSON)
    assert session.asked == [
        ("complete", (("Sort the ticket.", "It beeps."), TOOLS, {"temperature": 0}, JSON, 2))
    ]


def test_documents_are_retrieved_once_and_reach_the_prompt(
    play: Build, open_session: Build, completion: Build
) -> None:
    found = (Document(id="kb-1", index="kb", text="Press twice."),)
    session = open_session(completion("ok"), found=found)
    attempt = play(
        session,
        templates=("{% for d in documents %}{{ d.text }}{% endfor %}",),
        retrieve=Retrieve(index="kb", query="about: {{ input.body }}"),
    )
    assert session.acts() == ["retrieve", "complete"]
    assert session.asked[0][1] == ("kb", "about: It beeps.")
    assert session.asked[1][1][0] == ("Press twice.",)
    assert attempt.documents == ("kb-1",)


@pytest.mark.parametrize("output", [JSON, Output()])
def test_json_is_read_for_citations_whatever_was_asked_for(
    play: Build, open_session: Build, completion: Build, output: Output
) -> None:
    content, parsed = '{"citations": ["kb-1"]}', {"citations": ["kb-1"]}
    session = open_session(completion(content), cites=("kb-1",))
    attempt = play(session, output=output)
    assert attempt.state == "answered"
    assert attempt.parsed == (parsed if output is JSON else None)
    assert session.read == [(content, parsed)]
    assert attempt.citations == ("kb-1",)


def test_a_text_is_read_for_citations(play: Build, open_session: Build, completion: Build) -> None:
    session = open_session(completion("See [kb-1]."), cites=("kb-1",))
    assert play(session).citations == ("kb-1",)
    assert session.read == [("See [kb-1].", None)]


@pytest.mark.parametrize(
    "content",
    ["", "Sure! {}", '{"a": NaN}', "[" * 100_000, '{"a": ' + "1" * 6000 + "}"],
    ids=["empty", "prose", "nan", "nested", "endless number"],
)
def test_a_reply_that_is_not_json_is_invalid_where_json_was_asked_for(
    play: Build, open_session: Build, completion: Build, content: str
) -> None:
    attempt = play(open_session(completion(content)), output=JSON)
    assert attempt.state == "invalid"
    assert attempt.failure_mode == FailureMode.INVALID_OUTPUT
    assert attempt.output == content
    assert attempt.parsed is None


def test_a_reply_cut_off_by_the_cap_says_so(
    play: Build, open_session: Build, completion: Build
) -> None:
    cut = completion('{"intent": "oth', reply={"finish_reason": "length"})
    attempt = play(open_session(cut), output=JSON)
    assert (attempt.state, attempt.failure_mode) == ("invalid", FailureMode.TRUNCATED)
    assert "max_tokens" in attempt.error


@pytest.mark.parametrize("output", [TEXT, JSON], ids=["text", "a number as JSON"])
def test_an_answer_that_was_cut_is_no_answer_although_what_is_there_may_look_right(
    play: Build, open_session: Build, completion: Build, output: Any
) -> None:
    cut = completion("12", reply={"finish_reason": "length"})
    attempt = play(open_session(cut), output=output)
    assert (attempt.state, attempt.failure_mode) == ("invalid", FailureMode.TRUNCATED)
    assert attempt.output == "12"


def test_tool_calls_that_were_cut_may_lack_one(
    play: Build, open_session: Build, completion: Build
) -> None:
    calls = (ToolCall(name="lookup_order", arguments={"order_id": "A-31500"}),)
    cut = completion("", reply={"tool_calls": calls, "finish_reason": "length"})
    attempt = play(open_session(cut), output=JSON)
    assert (attempt.state, attempt.failure_mode) == ("invalid", FailureMode.TRUNCATED)


@pytest.mark.parametrize("content", ['{"intent": "other"}', "[1]", '"other"', "true"])
def test_json_that_is_closed_is_whole_although_the_cap_was_reached(
    play: Build, open_session: Build, completion: Build, content: str
) -> None:
    capped = completion(content, reply={"finish_reason": "length"})
    attempt = play(open_session(capped), output=JSON)
    assert (attempt.state, attempt.failure_mode) == ("answered", None)


def test_tool_calls_without_a_text_are_an_answer(
    play: Build, open_session: Build, completion: Build
) -> None:
    calls = (ToolCall(name="lookup_order", arguments={"order_id": "A-31500"}),)
    attempt = play(open_session(completion("", reply={"tool_calls": calls})), output=JSON)
    assert attempt.state == "answered"
    assert attempt.tool_calls == calls


@pytest.mark.parametrize(
    ("finish_reason", "mode"),
    [("stop", FailureMode.REFUSAL), ("content_filter", FailureMode.CONTENT_FILTER)],
)
def test_a_refusal_is_its_own_state(
    play: Build, open_session: Build, completion: Build, finish_reason: str, mode: FailureMode
) -> None:
    refusal = completion("", reply={"refusal": "I cannot.", "finish_reason": finish_reason})
    attempt = play(open_session(refusal), output=JSON)
    assert (attempt.state, attempt.failure_mode) == ("refused", mode)
    assert attempt.error == "I cannot."


def test_every_tool_call_is_authorized_and_none_is_executed(
    play: Build, open_session: Build, completion: Build
) -> None:
    calls = tuple(ToolCall(name=name, arguments={}) for name in ("lookup_order", "draft_reply"))
    session = open_session(completion("done", reply={"tool_calls": calls}))
    attempt = play(session)
    assert session.acts() == ["complete", "authorize", "authorize"]
    assert attempt.state == "answered"
    assert attempt.allowed_tools == ("lookup_order", "draft_reply")


def test_one_denied_tool_call_blocks_the_attempt_and_the_rest_are_still_looked_at(
    play: Build, open_session: Build, completion: Build
) -> None:
    names = ("lookup_order", "refund_customer", "send_email", "draft_reply")
    calls = tuple(ToolCall(name=name, arguments={}) for name in names)
    session = open_session(
        completion("done", reply={"tool_calls": calls}),
        denied=frozenset({"refund_customer", "send_email"}),
    )
    attempt = play(session)
    assert (attempt.state, attempt.failure_mode) == ("blocked", FailureMode.POLICY)
    assert attempt.rule == "policies.disallow_actions"
    assert attempt.error == "refund_customer is not allowed"
    assert attempt.allowed_tools == ("lookup_order", "draft_reply")
    assert [call.name for call in attempt.tool_calls] == list(names)
    assert attempt.output == "done"


def test_a_forbidden_retrieval_blocks_before_any_call(play: Build, open_session: Build) -> None:
    blocked = PolicyBlocked("retrieval.allow_indexes", "index hr_files may not be read")
    session = open_session(AssertionError("asked"), found=blocked)
    attempt = play(session, retrieve=Retrieve(index="hr_files", query="x"))
    assert session.acts() == ["retrieve"]
    assert (attempt.state, attempt.rule) == ("blocked", "retrieval.allow_indexes")
    assert (attempt.key, attempt.origin, attempt.latency_s) == ("", None, None)


def test_a_reply_that_a_policy_held_back_keeps_its_output_and_cost(
    play: Build, open_session: Build, completion: Build
) -> None:
    blocked = PolicyBlocked("require_citations", "the reply cites nothing")
    blocked.completion = completion('{"answer": "yes"}')  # type: ignore[attr-defined]
    attempt = play(open_session(blocked), output=JSON)
    assert (attempt.state, attempt.rule) == ("blocked", "require_citations")
    assert attempt.parsed == {"answer": "yes"}
    assert attempt.cost_usd == 0.002


def test_an_invalid_reply_keeps_its_output_and_cost(
    play: Build, open_session: Build, completion: Build
) -> None:
    invalid = InvalidReply("the reply is no JSON object")
    invalid.completion = completion("yes")  # type: ignore[attr-defined]
    attempt = play(open_session(invalid), output=JSON)
    assert (attempt.state, attempt.output) == ("invalid", "yes")
    assert attempt.billed_usd == 0.002


@pytest.mark.parametrize("code", list(FailureMode))
def test_a_provider_s_error_is_an_error_with_its_code(
    play: Build, open_session: Build, code: FailureMode
) -> None:
    session = open_session(ProviderError(code, "no luck"), tries=4)
    attempt = play(session)
    assert (attempt.state, attempt.failure_mode, attempt.error) == ("error", code, "no luck")
    assert (attempt.key, attempt.planned_model, attempt.model) == ("prepared", "m", "")
    assert attempt.tries == 4
    assert (attempt.output, attempt.cost_usd) == (None, None)


def test_an_exhausted_budget_is_an_error_that_names_its_rule(
    play: Build, open_session: Build
) -> None:
    attempt = play(open_session(BudgetExhausted("budgets.run.max_usd", "5 USD are spent")))
    assert (attempt.state, attempt.failure_mode) == ("error", FailureMode.BUDGET)
    assert attempt.rule == "budgets.run.max_usd"


def test_nothing_personal_is_stored(play: Build, open_session: Build, completion: Build) -> None:
    who = "ada@example.org"
    call = ToolCall(name="lookup", arguments={"email": who, "card": 4111111111111111}, raw=who)
    decision = Decision(
        act="complete",
        outcome="answered",
        rule="models.primary",
        message=f"for {who}",
        at="2026-11-24T19:30:00+00:00",
        data={"query": who},
    )
    session = open_session(
        completion(
            f'{{"reply": "Dear {who}", "card": 4111111111111111, "citations": ["{who}"]}}',
            reply={"tool_calls": (call,)},
            fallbacks=(Fallback(model="m", code="timeout", message=f"asked about {who}"),),
        ),
        decisions=[decision],
    )
    attempt = play(session, output=JSON)
    stored = msgspec.json.encode(attempt).decode()
    assert who not in stored
    assert who not in repr(session.read)
    assert "4111111111111111" not in stored
    assert attempt.parsed["reply"] == "Dear [PII_1]"
    assert attempt.tool_calls[0].arguments == {"email": "[PII_1]", "card": "[PII_1]"}


def test_nothing_personal_is_stored_of_an_error(play: Build, open_session: Build) -> None:
    error = ProviderError(FailureMode.BAD_REQUEST, "cannot parse 'ada@example.org'")
    assert play(open_session(error)).error == "cannot parse '[PII_1]'"


def test_what_a_model_writes_can_always_be_journalled(
    play: Build, open_session: Build, completion: Build
) -> None:
    deep: Any = "x"
    for _ in range(800):
        deep = [deep]
    call = ToolCall(name="\ud800", arguments={"a": deep, "b": float("nan")}, raw="\udfff")
    attempt = play(open_session(completion("\ud83d", reply={"tool_calls": (call,)})))
    assert msgspec.json.decode(msgspec.json.encode(attempt), type=Attempt) == attempt


def test_the_identity_is_the_pseudonym_of_the_session(
    play: Build, open_session: Build, completion: Build, case: Build
) -> None:
    session = open_session(completion("ok"), identity="u-21ab")
    assert play(session, of=case(identity={"user": "ada"})).identity == "u-21ab"


def test_an_error_of_the_template_is_raised_and_nothing_is_asked(
    play: Build, open_session: Build
) -> None:
    session = open_session(AssertionError("asked"))
    with pytest.raises(ConfigError, match=r"`input\.nothing` is undefined"):
        play(session, templates=("{{ input.nothing }}",))
    assert session.asked == []


@pytest.mark.parametrize("error", [StoreError("the cache is locked"), ZeroDivisionError("a bug")])
def test_what_is_not_the_attempt_s_fault_is_raised(
    play: Build, open_session: Build, error: Exception
) -> None:
    with pytest.raises(type(error)):
        play(open_session(error))


def test_preparing_asks_for_the_same_messages_and_makes_no_call(
    prompt: Build, case: Build, open_session: Build, completion: Build, play: Build
) -> None:
    found = (Document(id="kb-1", index="kb", text="Press twice."),)
    changes = {"retrieve": Retrieve(index="kb", query="q")}
    templates = ("{{ documents[0].text }}", "{{ input.body }}")
    session = open_session(AssertionError("asked"), found=found)
    target = PromptTarget(prompt(*templates, **changes))
    prepared = asyncio.run(target.prepare(Opened(session), case(), 3))
    assert session.acts() == ["retrieve", "prepare"]
    assert prepared.request.trial == 3

    made = open_session(completion("ok"), found=found)
    play(made, templates=templates, **changes)
    assert made.asked[1][1][0] == session.asked[1][1]


def test_a_completion_of_another_model_is_recorded_with_both_names(
    play: Build, open_session: Build, completion: Build
) -> None:
    hop = Fallback(model="m", code="timeout", message="no answer in 60 s")
    answer: Completion = completion("ok", model="spare", fallbacks=(hop,))
    attempt = play(open_session(answer))
    assert (attempt.model, attempt.planned_model) == ("spare", "m")
    assert attempt.fallbacks == (hop,)
