"""A refusal as the ProviderError that the session sees: what it means, when to try again, and what
of the server's words may be shown.

`x-should-retry` says more than status and code and decides about retries.
"""

import re
from collections.abc import Collection
from datetime import datetime

from evalkit.control.providers.error_bodies import ErrorBody
from evalkit.control.providers.meanings import RATE_LIMITED, Meaning, meaning_of
from evalkit.control.providers.rate_limits import reset_after, retry_after
from evalkit.errors import ProviderError
from evalkit.ports import HttpReply
from evalkit.records.attempt import FailureMode

MAX_MESSAGE = 300
HIDDEN = "[key]"
MOVED = frozenset((301, 302, 303, 307, 308))
MIN_SECRET = 8  # shorter ones would be found in the middle of words


def as_provider_error(
    provider: str,
    reply: HttpReply,
    *,
    error: ErrorBody,
    secrets: Collection[str],
    now: datetime,
) -> ProviderError:
    """The error for a reply that carries none of the model's words.

    `secrets` are cut out of what the server wrote; a server's words about a key are left out whole,
    because they quote parts of it.
    """
    meaning = meaning_of(reply.status, error)
    retryable = meaning.retryable
    wish = reply.headers.get("x-should-retry", "").lower()
    if wish in ("true", "false"):
        retryable = wish == "true"
    label = ", ".join(dict.fromkeys((str(reply.status), *error.names)))
    text = f"provider {provider} answered {shown(label, secrets=secrets)}"
    if reply.status == 407:
        text += ": the proxy wants a login"
    elif meaning.mode is FailureMode.AUTHENTICATION:
        text += ": it does not accept the key, or the key may not use this model"
    elif reply.status in MOVED:
        text += ": the endpoint has moved, and redirects are not followed; correct base_url"
    elif words := shown(error.message, secrets=secrets):
        text += f": {words}"
    if reply.status in (404, 405):
        text += "; look at base_url and the model's id"
    return ProviderError(
        meaning.mode,
        text,
        retryable=retryable,
        retry_after_s=_wait_s(reply, error, meaning, now),
        may_be_billed=meaning.may_be_billed,
        status=reply.status,
    )


def _wait_s(reply: HttpReply, error: ErrorBody, meaning: Meaning, now: datetime) -> float | None:
    """What the server asks for, else (of a rate limit) when the limit resets."""
    asked = retry_after(reply.headers, now=now)
    if asked is None:
        asked = error.retry_after_s
    if asked is None and meaning is RATE_LIMITED:
        asked = reset_after(reply.headers, now=now)
    return asked


def shown(text: str, *, secrets: Collection[str] = ()) -> str:
    """A server's words in one line without control characters, of bounded length, without a key."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
        if len(secret) >= 12:  # servers quote a key's beginning
            text = re.sub(re.escape(secret[:6]) + r"\S*", HIDDEN, text)
    text = re.sub(r"\b(sk|key|pk)-[\w*.\-]{6,}", HIDDEN, text)
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def reply_without_secrets(reply: HttpReply, secrets: Collection[str]) -> HttpReply:
    """A reply without the keys of its request, in headers and body."""
    if not secrets:
        return reply
    return HttpReply(
        status=reply.status,
        headers={
            name: without_secrets(value.encode("latin-1", "replace"), secrets).decode("latin-1")
            for name, value in reply.headers.items()
        },
        body=without_secrets(reply.body, secrets),
    )


def without_secrets(body: bytes, secrets: Collection[str]) -> bytes:
    """A text without the keys of its request, which a server that shows what it was sent repeats.

    Those that are shorter than `MIN_SECRET` are left.
    """
    for secret in secrets:
        if len(secret) >= MIN_SECRET:
            for form in {secret, secret.replace("/", "\\/")}:
                body = body.replace(form.encode(), HIDDEN.encode())
    return body
