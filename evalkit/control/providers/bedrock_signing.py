"""Signature version 4 for Bedrock, by botocore's signer (the extra `bedrock`)."""

import importlib.util
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from evalkit.control.providers.protocol import Unsigned

_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


def sign(
    environ: Mapping[str, str], url: str, headers: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    """The headers with a signature by the keys of `keys_of`.

    The region is the address's, else AWS_REGION or AWS_DEFAULT_REGION. Raises Unsigned.
    """
    keys = keys_of(environ)
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    request = AWSRequest(
        method="POST", url=url, data=body, headers={"content-type": headers["content-type"]}
    )
    SigV4Auth(Credentials(*keys), "bedrock", region_of(environ, url)).add_auth(request)
    return {**headers, **{name.lower(): value for name, value in request.headers.items()}}


def keys_of(environ: Mapping[str, str]) -> tuple[str, str, str | None]:
    """Access key, secret key, and the session's token where there is one. Raises Unsigned.

    They are in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else in the shared
    credentials file, under the profile of AWS_PROFILE or `default`. Roles, sign-on and a machine's
    own role are not followed: they need calls of their own.
    """
    if importlib.util.find_spec("botocore") is None:
        raise Unsigned(
            "signing needs botocore: pip install 'evalkit[bedrock]'; or name a Bedrock API key's "
            "variable in api_key_env"
        )
    access, secret, token = (
        environ.get(name, "").strip()
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    )
    if access and secret:
        return access, secret, token or None
    profile = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or ""
    path = environ.get("AWS_SHARED_CREDENTIALS_FILE") or _default_file(environ)
    found = _keys_in(path, profile or "default") if path else None
    if found is not None:
        return found
    where = f"; profile {profile} has none in {path}" if profile else ""
    raise Unsigned(
        "the keys are looked for in $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, which are "
        f"not both set{where}; of a role or a sign-on they are printed by "
        "`aws configure export-credentials --format env`"
    )


def _default_file(environ: Mapping[str, str]) -> str:
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    return f"{home}/.aws/credentials" if home else ""


def _keys_in(path: str, profile: str) -> tuple[str, str, str | None] | None:
    """The keys of a profile, None where the file or the profile has none. Raises Unsigned."""
    from botocore.credentials import SharedCredentialProvider
    from botocore.exceptions import BotoCoreError

    try:
        found = SharedCredentialProvider(creds_filename=path, profile_name=profile).load()
    except BotoCoreError:
        raise Unsigned(f"{path} cannot be read as AWS credentials of profile {profile}") from None
    return None if found is None else (found.access_key, found.secret_key, found.token)


def region_of(environ: Mapping[str, str], url: str) -> str:
    """The region a request is signed for. Raises Unsigned where nothing names one."""
    found = _REGION.search(urlsplit(url).hostname or "")
    region = found.group(1) if found else ""
    region = region or environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise Unsigned("neither the address nor $AWS_REGION names the region to sign for")
    return region
