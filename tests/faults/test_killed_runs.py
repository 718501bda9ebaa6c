"""A run that is killed is not reported as the one before it."""

import json
import os
import signal
import subprocess
import sys

from tests.cli.conftest import V2
from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit, served
from tests.servers.openai_server import OpenAIServer, SeenRequest

__all__ = ["served"]


def test_what_is_published_after_a_kill_is_not_the_pass_of_an_earlier_run(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    last = served.root / ".evalkit/last.json"
    assert evalkit("run", "--trials", "1", cwd=served.root).returncode == 0
    assert json.loads(last.read_text())["exit_code"] == 0
    children: list[subprocess.Popen[bytes]] = []

    def kill(request: SeenRequest) -> None:
        for child in children:
            os.kill(child.pid, signal.SIGKILL)

    openai_server.decide = kill
    children.append(
        subprocess.Popen(
            [sys.executable, "-m", "evalkit", "run", *V2, "--no-cache", "--quiet"],
            cwd=served.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    )
    assert children[0].wait() == -signal.SIGKILL
    told = json.loads(last.read_text())
    assert (told["kind"], told["exit_code"]) == ("interrupted", 130)
    assert "was killed" in told["message"]
