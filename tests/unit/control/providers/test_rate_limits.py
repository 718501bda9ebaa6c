"""When a used-up limit is filled again, by the headers of OpenAI and Anthropic."""

from datetime import UTC, datetime

import pytest

from evalkit.control.providers.rate_limits import reset_after
from evalkit.records.attempt import FailureMode
from tests.unit.control.providers.test_provider_errors import failure

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SPENT = "anthropic-ratelimit-tokens-remaining"
RESET = "anthropic-ratelimit-tokens-reset"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("20ms", 0.02),
        ("30", 30.0),
        ("2026-11-24T12:00:09Z", 9.0),
        ("2026-11-24T11:00:00Z", 0.0),
        ("2026-11-24T12:00:09", 9.0),
        ("soon", None),
        ("", None),
        ("1s and more", None),
    ],
)
def test_a_reset_is_a_duration_or_a_time(text: str, seconds: float | None) -> None:
    assert reset_after({SPENT: "0", RESET: text}, now=NOW) == seconds


def test_only_a_limit_that_is_used_up_is_waited_for() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "12",
        "x-ratelimit-reset-requests": "6m0s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "3s",
    }
    assert reset_after(headers, now=NOW) == 3.0
    assert reset_after(headers | {"x-ratelimit-remaining-requests": "0"}, now=NOW) == 360.0


def test_what_the_server_asks_for_comes_before_its_limits() -> None:
    spent = {SPENT: "0", RESET: "40s"}
    limits = {name.replace("-", "_"): value for name, value in spent.items()}
    assert failure(429, **limits).retry_after_s == 40.0
    assert failure(429, retry_after="7", **limits).retry_after_s == 7.0


def test_limits_say_nothing_about_other_errors() -> None:
    error = failure(
        500, anthropic_ratelimit_tokens_remaining="0", anthropic_ratelimit_tokens_reset="40s"
    )
    assert (error.code, error.retry_after_s) == (FailureMode.SERVER_ERROR, None)
