"""The settings of the server below the gateway."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from evalkit.errors import UsageError
from evalkit.workflows.gateway.listening import Listening
from evalkit.workflows.gateway.server import configure
from tests.unit.gateway.application import operating


def test_a_key_with_a_pass_phrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    made = trustme.CA().issue_cert("127.0.0.1")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made.cert_chain_pems[0].write_to_path(cert)
    plain = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
    key.write_bytes(
        plain.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(UsageError, match="pass phrase"):
        configure(None, Listening(cert=cert, key=key), operating())
