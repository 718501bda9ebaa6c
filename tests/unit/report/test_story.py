"""The story of a session: what it did step by step, what each step cost, why it was decided so."""

from evalkit.records.attempt import Step
from evalkit.records.call import Decision, Usage
from evalkit.records.span import SessionTrace, Span
from evalkit.report.screen import Page, Screen
from evalkit.report.story import tell
from evalkit.report.story_block import put_decisions, put_story, put_total
from evalkit.report.traces import trace_text, traces_text

AT = "2026-11-24T09:00:00.000+00:00"
USAGE = Usage(input_tokens=1200, output_tokens=40, cached_tokens=800, reasoning_tokens=10)


def decided(act: str, outcome: str, rule: str, message: str, **data: object) -> Decision:
    return Decision(act=act, outcome=outcome, rule=rule, message=message, at=AT, data=data)  # type: ignore[arg-type]


DECISIONS = (
    decided("retrieve", "allowed", "retrieval.allow_indexes", "index kb is one of the route's"),
    decided("retrieve", "changed", "retrieval.max_chunks", "1 of 2 documents of index kb"),
    decided("redact", "changed", "policies.pii_redaction", "in the request: 1 EMAIL"),
    decided("route", "allowed", "models.primary", "big is asked", model="big"),
    decided("complete", "failed", "models.primary", "big: no reply came"),
    decided("route", "allowed", "models.fallback", "small is asked", model="small"),
    decided("budget", "allowed", "budgets", "up to 0.01 USD are set aside"),
    decided("complete", "answered", "live", "small answered after 0.5 s"),
    decided("redact", "changed", "policies.pii_redaction", "in the reply: 1 EMAIL", where="reply"),
    decided("authorize", "denied", "policies.disallow_actions", "send_email is never allowed"),
)


def span(operation: str, name: str, *decisions: int, **fields: object) -> Span:
    given: dict[str, object] = {"start_ns": 10**18, "end_ns": 10**18 + 500_000_000, "parent": 0}
    return Span(operation=operation, name=name, decisions=decisions, **(given | fields))  # type: ignore[arg-type]


SPANS = (
    span("invoke_workflow", "help", 2, 3, 4, 5, 8, parent=None),
    span(
        "retrieval",
        "kb",
        0,
        1,
        attributes={
            "gen_ai.retrieval.documents": [{"id": "kb-1"}],
            "evalkit.retrieval.refused": ["kb-2"],
        },
    ),
    span("chat", "big", error="timeout", message="no reply came"),
    span(
        "chat",
        "small",
        6,
        7,
        attributes={
            "gen_ai.usage.input_tokens": 1200,
            "gen_ai.usage.output_tokens": 40,
            "gen_ai.usage.cache_read.input_tokens": 800,
            "gen_ai.usage.reasoning.output_tokens": 10,
            "evalkit.cost_usd": 0.0012,
            "evalkit.origin": "live",
        },
    ),
    span("execute_tool", "send_email", 9, error="policies.disallow_actions", message="never"),
)
STEPS = (
    Step(
        kind="retrieval",
        name="kb",
        arguments={"query": "late payout"},
        documents=("kb-1",),
        refused=("kb-2",),
    ),
    Step(kind="user", name="user", output="Please write to me."),
    Step(kind="model", name="small", output="I will.", usage=USAGE, cost_usd=0.0012, latency_s=0.5),
    Step(
        kind="tool",
        name="send_email",
        outcome="denied",
        rule="policies.disallow_actions",
        message="send_email is never allowed",
        arguments={"to": "[EMAIL_1]"},
    ),
)


def page_of(steps: tuple[Step, ...], spans: tuple[Span, ...], width: int = 100) -> str:
    page = Page(Screen(width=width))
    told, nobodys = tell(steps, spans, DECISIONS)
    put_story(page, told)
    put_decisions(page, nobodys)
    put_total(page, told)
    return page.text()


def test_steps_and_spans_together_make_the_whole_story() -> None:
    assert page_of(STEPS, SPANS) == (
        """\
  1. Looked up documents in kb
     query      late payout
     found      kb-1
     left out   kb-2
     why        retrieve allowed by retrieval.allow_indexes: index kb is one of the route's
                retrieve changed by retrieval.max_chunks: 1 of 2 documents of index kb
  2. Asked the model big: failed, timeout: no reply came
     cost       500 ms
     why        redact changed by policies.pii_redaction: in the request: 1 EMAIL
                route allowed by models.primary: big is asked
                complete failed by models.primary: big: no reply came
  3. The user wrote
     said       Please write to me.
  4. Asked the model small
     answered   I will.
     cost       1,200 tokens in (800 cached), 40 out (10 of them thought); $0.0012; 500 ms
     why        route allowed by models.fallback: small is asked
                budget allowed by budgets: up to 0.01 USD are set aside
                complete answered by live: small answered after 0.5 s
                redact changed by policies.pii_redaction: in the reply: 1 EMAIL
  5. Wanted to call the tool send_email: denied by policies.disallow_actions
     arguments  {"to": "[EMAIL_1]"}
     why        authorize denied by policies.disallow_actions: send_email is never allowed
  in all     2 model calls, 1 tool call; 1,240 tokens, $0.0012
"""
    )


def test_what_was_decided_of_a_request_belongs_to_the_call_that_it_led_to() -> None:
    decisions = (
        decided("authorize", "allowed", "tools.effect", "look only reads"),
        decided("complete", "allowed", "rego.p", "the request may go", where="request"),
        decided("complete", "answered", "live", "small answered"),
        decided("complete", "allowed", "rego.p", "the reply may pass"),
    )
    spans = (
        span("invoke_workflow", "help", 1, 3, parent=None),
        span("execute_tool", "look", 0),
        span("chat", "small", 2),
    )
    (tool, model), _ = tell((), spans, decisions)
    assert tool.why == [decisions[0]]
    assert model.why == list(decisions[1:])


def test_every_decision_is_told_once_whatever_there_is_to_tell_it_by() -> None:
    for steps, spans in ((STEPS, SPANS), ((), SPANS), (STEPS, ()), ((), ())):
        told, nobodys = tell(steps, spans, DECISIONS)
        found = [decision for each in told for decision in each.why] + nobodys
        assert sorted(map(id, found)) == sorted(map(id, DECISIONS))


def test_bundles_of_an_older_evalkit_are_told_by_their_decisions_alone() -> None:
    told, nobodys = tell((), (), DECISIONS)
    assert [(each.kind, each.name, each.ending) for each in told] == [
        ("retrieval", "", "done"),
        ("model", "big", "done"),
        ("tool", "", "denied"),
    ]
    assert nobodys == []


def test_a_model_that_wrote_nothing_asked_for_the_tools_that_follow() -> None:
    model = Step(kind="model", name="small", usage=USAGE)
    tools = tuple(Step(kind="tool", name=name, output="1") for name in ("find", "pay"))
    told, _ = tell((model, *tools, model), (), ())
    assert told[0].said == [("asked for", "find, pay")]
    assert told[3].said == []


def test_a_story_fits_a_narrow_terminal() -> None:
    assert max(map(len, page_of(STEPS, SPANS, width=60).splitlines())) <= 60


def test_what_a_model_wrote_cannot_command_the_terminal() -> None:
    step = Step(kind="model", name="small\x1b[2J", output="\x1b]0;owned\x07")
    assert "\x1b" not in page_of((step,), ())


def test_a_session_without_acts_says_so() -> None:
    trace = SessionTrace(trace_id="a" * 32, at=AT, route="help", spans=SPANS[:1])
    assert "Nothing was asked of it." in trace_text(trace, screen=Screen())
    assert "aaaaaaaa" in traces_text([trace], screen=Screen(width=60))
