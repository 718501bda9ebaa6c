"""Signature version 4 for Bedrock, by botocore's signer (the extra `bedrock`)."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from evalkit.control.providers.protocol import Unsigned

_REGION = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")


def sign(
    environ: Mapping[str, str], url: str, headers: Mapping[str, str], body: bytes
) -> Mapping[str, str]:
    """The headers with a signature by the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and
    AWS_SESSION_TOKEN where there is one.

    The region is the address's, else AWS_REGION or AWS_DEFAULT_REGION. Raises Unsigned.
    """
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise Unsigned(
            "signing needs botocore: pip install 'evalkit[bedrock]'; or name a Bedrock API key's "
            "variable in api_key_env"
        ) from None
    access, secret = (
        environ.get(name, "").strip() for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    )
    if not access or not secret:
        raise Unsigned(
            "the keys are looked for in $AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, which are "
            "not both set"
        )
    token = environ.get("AWS_SESSION_TOKEN", "").strip() or None
    request = AWSRequest(
        method="POST", url=url, data=body, headers={"content-type": headers["content-type"]}
    )
    SigV4Auth(Credentials(access, secret, token), "bedrock", region_of(environ, url)).add_auth(
        request
    )
    return {**headers, **{name.lower(): value for name, value in request.headers.items()}}


def region_of(environ: Mapping[str, str], url: str) -> str:
    """The region a request is signed for. Raises Unsigned where nothing names one."""
    found = _REGION.search(urlsplit(url).hostname or "")
    region = found.group(1) if found else ""
    region = region or environ.get("AWS_REGION", "") or environ.get("AWS_DEFAULT_REGION", "")
    if not region:
        raise Unsigned("neither the address nor $AWS_REGION names the region to sign for")
    return region
