"""What an endpoint's refusals mean, and what of them is shown."""

import traceback
from datetime import UTC, datetime
from typing import Any

import pytest

from evalkit.control.providers.error_bodies import ErrorBody, error_in
from evalkit.control.providers.meanings import CODES, STATUSES, meaning_of
from evalkit.control.providers.provider_errors import shown
from evalkit.control.providers.rate_limits import retry_after
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from tests.unit.control.providers.fakes import SECRET, answering, provider, request, run

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def failure(status: int, body: Any = b"", **headers: str) -> ProviderError:
    hosted = provider(answering(status, body, **headers))
    with pytest.raises(ProviderError) as caught:
        run(hosted.complete(request(), timeout_s=5))
    return caught.value


def test_every_status_has_a_meaning_that_is_infrastructure() -> None:
    infrastructure = {
        FailureMode.TIMEOUT,
        FailureMode.RATE_LIMITED,
        FailureMode.SERVER_ERROR,
        FailureMode.AUTHENTICATION,
        FailureMode.BAD_REQUEST,
        FailureMode.QUOTA,
    }
    for status in range(100, 1000):
        assert meaning_of(status, ErrorBody()).mode in infrastructure, status


@pytest.mark.parametrize(
    ("status", "mode", "retryable"),
    [
        (301, FailureMode.BAD_REQUEST, False),
        (400, FailureMode.BAD_REQUEST, False),
        (401, FailureMode.AUTHENTICATION, False),
        (402, FailureMode.QUOTA, False),
        (403, FailureMode.AUTHENTICATION, False),
        (404, FailureMode.BAD_REQUEST, False),
        (408, FailureMode.TIMEOUT, True),
        (409, FailureMode.SERVER_ERROR, True),
        (413, FailureMode.BAD_REQUEST, False),
        (422, FailureMode.BAD_REQUEST, False),
        (429, FailureMode.RATE_LIMITED, True),
        (500, FailureMode.SERVER_ERROR, True),
        (501, FailureMode.SERVER_ERROR, False),
        (502, FailureMode.SERVER_ERROR, True),
        (503, FailureMode.SERVER_ERROR, True),
        (504, FailureMode.TIMEOUT, True),
        (524, FailureMode.TIMEOUT, True),
        (529, FailureMode.SERVER_ERROR, True),
    ],
)
def test_statuses_mean(status: int, mode: FailureMode, retryable: bool) -> None:
    error = failure(status)
    assert (error.code, error.retryable) == (mode, retryable)


def test_only_a_gateways_timeout_may_be_billed() -> None:
    assert [status for status in range(300, 600) if failure(status).may_be_billed] == [
        408,
        504,
        524,
    ]


@pytest.mark.parametrize(
    ("status", "error", "mode", "retryable"),
    [
        (429, {"code": "insufficient_quota"}, FailureMode.QUOTA, False),
        (429, {"type": "insufficient_quota", "code": None}, FailureMode.QUOTA, False),
        (429, {"type": "tokens", "code": "rate_limit_exceeded"}, FailureMode.RATE_LIMITED, True),
        (400, {"code": "context_length_exceeded"}, FailureMode.CONTEXT_LENGTH, False),
        (
            400,
            {"code": 400, "type": "exceed_context_size_error"},
            FailureMode.CONTEXT_LENGTH,
            False,
        ),
        (400, {"type": "invalid_request_error", "code": None}, FailureMode.BAD_REQUEST, False),
        (404, {"type": "not_found_error"}, FailureMode.BAD_REQUEST, False),
        (529, {"type": "overloaded_error"}, FailureMode.SERVER_ERROR, True),
        (503, {"type": "unavailable_error", "code": 503}, FailureMode.SERVER_ERROR, True),
        (400, {"code": True, "message": ["x"]}, FailureMode.BAD_REQUEST, False),
    ],
)
def test_a_known_code_says_more_than_the_status(
    status: int, error: dict[str, Any], mode: FailureMode, retryable: bool
) -> None:
    found = failure(status, {"error": error})
    assert (found.code, found.retryable) == (mode, retryable)


def test_no_table_line_is_lost_to_another() -> None:
    """Every line of the tables is reached through the function that reads them."""
    for code, meaning in CODES.items():
        assert meaning_of(400, ErrorBody(code=code)) is meaning
        assert meaning_of(500, ErrorBody(kind=code)) is meaning
    for status, meaning in STATUSES.items():
        assert meaning_of(status, ErrorBody(code="unheard_of")) is meaning


@pytest.mark.parametrize(
    ("status", "wish", "retryable"), [(503, "false", False), (400, "true", True)]
)
def test_the_server_decides_about_retries_where_it_says_so(
    status: int, wish: str, retryable: bool
) -> None:
    assert failure(status, x_should_retry=wish).retryable is retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 14:00:30 +0200"}, 30.0),
        ({"retry-after": "Tue, 24 Nov 2026 11:59:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=NOW) == seconds


def test_the_wish_to_wait_reaches_the_caller() -> None:
    assert failure(429, retry_after="7").retry_after_s == 7.0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "plain"}}', "plain"),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b'{"error": "just text"}', "just text"),
        (b'{"detail": "of a framework"}', "of a framework"),
        (b'{"message": "at the top"}', "at the top"),
        (b"<html><head><TITLE>502 Bad\nGateway</TITLE></head></html>", "502 Bad Gateway"),
        (b"upstream connect error", "upstream connect error"),
        (b"", ""),
        (b"null", ""),
        (b"\xff\xfe\x00", "\ufffd\ufffd"),
    ],
)
def test_the_servers_words_are_found_in_every_shape(body: bytes, words: str) -> None:
    assert shown(error_in(body).message) == words


def test_words_are_one_bounded_line_without_control_characters() -> None:
    words = shown("a\x1b[31mred\r\n::error::b" + "x" * 1000)
    assert words.startswith("a [31mred ::error::b")
    assert len(words) == 300


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500])
def test_a_key_that_the_server_quotes_is_never_shown(status: int) -> None:
    quoted = f"Incorrect key {SECRET}, also known as sk-proj-****XYZ, in Bearer {SECRET}"
    error = failure(status, {"error": {"message": quoted, "code": f"bad_{SECRET}"}})
    written = "".join(traceback.format_exception(error)) + repr(error) + str(vars(error))
    assert SECRET not in written
    assert "XYZ" not in written


def test_the_beginning_of_a_key_is_not_shown_either() -> None:
    key = "gsk_0123456789abcdef"
    assert (
        shown("key gsk_0123… is wrong, gsk is not", secrets=(key,))
        == "key [key] is wrong, gsk is not"
    )


def test_a_provider_shows_its_name_and_address_and_no_key() -> None:
    hosted = provider(answering(200, {}))
    assert repr(hosted) == (
        "OpenAIProvider(name='hosted', url='https://llm.example/v1/chat/completions')"
    )
    assert SECRET not in str(vars(hosted)).replace(str(hosted._environ), "")
