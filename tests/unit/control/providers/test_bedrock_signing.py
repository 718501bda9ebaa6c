"""Signed requests to Bedrock, checked as the receiving side would: from what arrived."""

import hashlib
import hmac
import json
import re
import traceback
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from evalkit.control.providers.bedrock_signing import keys_of, region_of
from evalkit.control.providers.http_provider import HttpProvider
from evalkit.control.providers.protocol import Unsigned
from evalkit.control.providers.protocols import protocol_of
from evalkit.control.providers.transport import build_transport
from evalkit.errors import ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Message, Reply, Request
from tests.servers.replay_server import Exchange, ReplayServer, Sent
from tests.unit.control.providers.fakes import FixedClock, run
from tests.unit.control.providers.formats import bedrock_converse

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE00000001",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "session-token-0123456789",
    "AWS_REGION": "eu-central-1",
}
MODEL = "eu.vendor.model-20261001-v1:0"


def ask(environ: Mapping[str, str], reply: Exchange, model: str = MODEL) -> tuple[Reply, Sent]:
    server = ReplayServer().start()
    server.reply = reply

    async def call() -> Reply:
        transport = build_transport()
        try:
            provider = HttpProvider(
                protocol_of("bedrock", server.url),
                kind="bedrock",
                name="aws",
                base_url=server.url,
                api_key_env=None,
                environ=environ,
                transport=transport,
                clock=FixedClock(),
            )
            asked = (Message(role="user", content="Grüße?"),)
            return await provider.complete(
                Request(model=model, messages=asked, key="k"), timeout_s=5
            )
        finally:
            await transport.close()

    try:
        return run(call()), server.sent[0]
    finally:
        server.stop()


def signature(sent: Sent, secret: str) -> tuple[str, str]:
    """The signature that arrived and the one that has to be, by AWS's description of version 4."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8}/[a-z0-9-]+/bedrock/aws4_request), "
        r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
        sent.headers["authorization"],
    )
    assert found is not None
    access, scope, names, given = found.groups()
    assert access == KEYS["AWS_ACCESS_KEY_ID"]
    headers = "".join(f"{name}:{sent.headers[name]}\n" for name in names.split(";"))
    body = hashlib.sha256(sent.raw).hexdigest()
    canonical = "\n".join(["POST", quote(sent.path, safe="/"), "", headers, names, body])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", sent.headers["x-amz-date"], scope, digest])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return given, hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (MODEL, f"/model/{MODEL}/converse"),
        (
            "arn:aws:bedrock:eu:1:profile/a b",
            "/model/arn:aws:bedrock:eu:1:profile%2Fa%20b/converse",
        ),
    ],
)
def test_what_arrives_is_signed_with_path_body_and_token(model: str, path: str) -> None:
    reply, sent = ask(KEYS, bedrock_converse.FORMAT.text, model)
    assert reply.content == bedrock_converse.TEXT
    assert sent.path == path
    given, expected = signature(sent, KEYS["AWS_SECRET_ACCESS_KEY"])
    assert given == expected
    signed = sent.headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert {"host", "x-amz-date", "x-amz-security-token"} <= set(signed)
    assert sent.headers["x-amz-security-token"] == KEYS["AWS_SESSION_TOKEN"]


def test_keys_without_a_session_sign_too() -> None:
    lasting = {name: value for name, value in KEYS.items() if name != "AWS_SESSION_TOKEN"}
    _, sent = ask(lasting, bedrock_converse.FORMAT.text)
    given, expected = signature(sent, KEYS["AWS_SECRET_ACCESS_KEY"])
    assert given == expected
    assert "x-amz-security-token" not in sent.headers


def test_the_secret_key_is_not_sent() -> None:
    _, sent = ask(KEYS, bedrock_converse.FORMAT.text)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in json.dumps(sent.headers) + sent.path


def profiles(path: Path) -> Path:
    """A shared credentials file with three profiles."""
    lines = ["[default]", "aws_access_key_id = AKIDDEFAULT", "aws_secret_access_key = default-key"]
    lines += ["[work]", f"aws_access_key_id = {KEYS['AWS_ACCESS_KEY_ID']}"]
    lines += [f"aws_secret_access_key = {KEYS['AWS_SECRET_ACCESS_KEY']}"]
    lines += [f"aws_session_token = {KEYS['AWS_SESSION_TOKEN']}"]
    lines += ["[half]", "aws_access_key_id = AKIDHALF", "[role]", "region = eu-west-1"]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_profile_of_the_shared_file_signs(tmp_path: Path) -> None:
    shared = {"AWS_SHARED_CREDENTIALS_FILE": str(profiles(tmp_path / "keys"))}
    environ = shared | {"AWS_PROFILE": "work", "AWS_REGION": "eu-central-1"}
    _, sent = ask(environ, bedrock_converse.FORMAT.text)
    given, expected = signature(sent, KEYS["AWS_SECRET_ACCESS_KEY"])
    assert given == expected
    assert sent.headers["x-amz-security-token"] == KEYS["AWS_SESSION_TOKEN"]


def test_the_files_own_place_and_profile_are_the_usual_ones(tmp_path: Path) -> None:
    profiles(tmp_path / ".aws/credentials")
    assert keys_of({"HOME": str(tmp_path)}) == ("AKIDDEFAULT", "default-key", None)


def test_keys_of_the_environment_come_before_any_profile(tmp_path: Path) -> None:
    shared = {"AWS_SHARED_CREDENTIALS_FILE": str(profiles(tmp_path / "keys"))}
    assert keys_of(KEYS | shared | {"AWS_PROFILE": "default"})[0] == KEYS["AWS_ACCESS_KEY_ID"]


@pytest.mark.parametrize("profile", ["role", "half", "nobody"])
def test_a_profile_without_keys_is_named_with_its_file(tmp_path: Path, profile: str) -> None:
    path = profiles(tmp_path / "keys")
    shared = {"AWS_SHARED_CREDENTIALS_FILE": str(path), "AWS_PROFILE": profile}
    with pytest.raises(Unsigned, match=f"profile {profile}") as caught:
        keys_of(shared)
    assert str(path) in str(caught.value) and "AKIDHALF" not in str(caught.value)


@pytest.mark.parametrize("gone", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"])
def test_what_is_not_set_is_named_and_nothing_is_shown(gone: str) -> None:
    environ = {name: value for name, value in KEYS.items() if name != gone}
    with pytest.raises(ProviderError, match=rf"aws was not asked: .*\${gone}") as caught:
        ask(environ, bedrock_converse.FORMAT.text)
    assert (caught.value.code, caught.value.retryable) == (FailureMode.AUTHENTICATION, False)
    shown = "".join(traceback.format_exception(caught.value))
    assert not [name for name, value in environ.items() if name != "AWS_REGION" and value in shown]


@pytest.mark.parametrize(
    ("status", "name"), [(403, "InvalidSignatureException"), (400, "ValidationException")]
)
def test_a_token_that_the_server_quotes_is_not_shown(status: int, name: str) -> None:
    words = f"The canonical request had x-amz-security-token:{KEYS['AWS_SESSION_TOKEN']}"
    with pytest.raises(ProviderError) as caught:
        ask(KEYS, bedrock_converse.error(status, name, words))
    assert KEYS["AWS_SESSION_TOKEN"][:8] not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.us-west-2.amazonaws.com/model/m/converse", "us-west-2"),
        ("https://bedrock-runtime-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("https://vpce-1.bedrock-runtime.eu-west-3.vpce.amazonaws.com", "eu-west-3"),
        ("https://gate.example", "eu-central-1"),
    ],
)
def test_the_region_is_the_addresss_else_the_environments(url: str, region: str) -> None:
    assert region_of(KEYS, url) == region


def test_without_a_region_nothing_is_signed() -> None:
    assert region_of({"AWS_DEFAULT_REGION": "eu-west-1"}, "https://gate.example") == "eu-west-1"
    with pytest.raises(Unsigned, match="AWS_REGION"):
        region_of({}, "https://gate.example")
