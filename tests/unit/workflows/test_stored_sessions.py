"""Which stored sessions are meant, and which may become a case."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from evalkit.errors import Refused, UsageError
from evalkit.records.span import SessionTrace, Span
from evalkit.workflows.traces.becoming_cases import check_may_become_case
from evalkit.workflows.traces.listing import moment_of

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=timezone(timedelta(hours=1)))
CHAT = Span(operation="chat", name="m", start_ns=1, end_ns=2)
TRACE = SessionTrace(trace_id="a" * 32, at="2026-11-30T10:00:00+00:00", route="r", spans=(CHAT,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30m", datetime(2026, 11, 30, 10, 30, tzinfo=UTC)),
        ("2h", datetime(2026, 11, 30, 9, 0, tzinfo=UTC)),
        (" 7d ", datetime(2026, 11, 23, 11, 0, tzinfo=UTC)),
        ("4w", datetime(2026, 11, 2, 11, 0, tzinfo=UTC)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T09:30+01:00", datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T09:30", datetime(2026, 11, 1, 9, 30, tzinfo=UTC)),
    ],
)
def test_a_moment_is_an_age_a_day_or_a_time(text: str, expected: datetime) -> None:
    assert moment_of(text, now=NOW) == expected


@pytest.mark.parametrize("text", ["", "h", "0h", "-2h", "2 h", "2y", "1.5d", "soon", "2026-02-30"])
def test_what_is_no_moment_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(UsageError, match="give an age"):
        moment_of(text, now=NOW)


def test_a_session_that_is_marked_and_holds_content_may_become_a_case() -> None:
    check_may_become_case(msgspec.structs.replace(TRACE, use="evaluation", content=True))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"content": True}, "use: none"),
        ({"use": "training", "content": True}, "for training only"),
        ({"use": "evaluation"}, "telemetry: {content: redacted}"),
        ({"use": "evaluation", "content": True, "spans": ()}, "no answered call"),
        (
            {
                "use": "evaluation",
                "content": True,
                "spans": (msgspec.structs.replace(CHAT, error="timeout"),),
            },
            "no answered call",
        ),
    ],
)
def test_every_other_session_must_not_and_it_says_why(fields: dict[str, object], says: str) -> None:
    with pytest.raises(Refused, match=says):
        check_may_become_case(msgspec.structs.replace(TRACE, **fields))
