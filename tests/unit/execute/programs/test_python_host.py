"""A function's process that takes nothing in is ended like one that says nothing."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from evalkit.execute.programs.processes import Minder
from evalkit.execute.programs.python_host import PythonHost, TargetFailed

SOURCE = """
import os

def answer(given, session):
    return session.retrieve("docs", str(os.getpid()))[0].text
"""


def test_a_process_that_does_not_read_what_it_is_told_is_ended(tmp_path: Path) -> None:
    (tmp_path / "stopped_target.py").write_text(SOURCE)

    async def stop_it(act: str, arguments: dict[str, Any], number: int) -> dict[str, Any]:
        os.kill(int(arguments["query"]), signal.SIGSTOP)
        return {"value": "x" * 5_000_000}  # more than a pipe holds

    async def play() -> None:
        minder = Minder()
        host = await PythonHost.start("stopped_target:answer", folder=tmp_path, minder=minder)
        with pytest.raises(TargetFailed, match=r"no answer within 0\.5 s"):
            await host.call({"text": "hello"}, serve=stop_it, timeout_s=0.5)
        assert not host.alive
        await minder.close()

    asyncio.run(asyncio.wait_for(play(), 20))
