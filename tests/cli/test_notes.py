"""What is told on stderr, where several processes write."""

import os
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_note_is_one_write_so_that_no_other_stands_on_its_line(unbuffered: str) -> None:
    source = (
        "from evalkit.cli.output import open_streams, print_note\n"
        "open_streams()\n"
        "print_note('worker 1: reloaded')\n"
        "print_note('of two\\nlines')"
    )
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with mine, theirs:
        subprocess.run(
            [sys.executable, "-c", source],
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
            stderr=theirs,
            check=True,
            timeout=60,
        )
        mine.settimeout(10)
        assert [mine.recv(1_000) for _ in range(2)] == [
            b"worker 1: reloaded\n",
            b"of two\nlines\n",
        ]
