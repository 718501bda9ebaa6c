"""`evalkit serve` where it does not come to serve anything."""

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Ask, Evalkit
from tests.cli.test_key import CONFIG


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "evalkit.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--host", "0.0.0.0"], "keys would cross the network in the clear"),
        (["--host", "::"], "keys would cross the network in the clear"),
        (["--host", "gateway.example"], "keys would cross the network in the clear"),
        (["--tls-cert", "no.pem"], "belong together"),
        (["--tls-cert", "no.pem", "--tls-key", "no.pem"], "do not do: [Errno 2]"),
        (["--tls-cert", "evalkit.yaml", "--tls-key", "evalkit.yaml"], "do not do"),
    ],
)
def test_where_it_cannot_or_must_not_listen_is_told(
    project: Path, ask: Ask, flags: list[str], told: str
) -> None:
    said = ask("serve", *flags)
    assert said.code == 2
    assert told in " ".join(said.err.split())


def test_an_address_of_another_machine_and_a_port_that_is_taken_are_told(
    project: Path, evalkit: Evalkit
) -> None:
    said = evalkit("serve", "--host", "203.0.113.1", "--without-tls")
    assert said.returncode == 2
    assert "cannot listen at 203.0.113.1:8700" in said.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = evalkit("serve", "--port", port)
    assert said.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}" in said.stderr
