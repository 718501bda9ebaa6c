"""The servers of the tests and benchmarks, run as the processes that they also are."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def test_the_misbehaving_server_runs_as_a_script() -> None:
    command = [
        sys.executable,
        str(ROOT / "tests/servers/openai_server.py"),
        "--script",
        "status:503",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["url"]
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
            codes = []
            for _ in range(2):
                try:
                    urllib.request.urlopen(f"{url}/chat/completions", body.encode()).close()
                    codes.append(200)
                except urllib.error.HTTPError as error:
                    codes.append(error.code)
                    error.close()
            with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:
                stats = json.load(reply)
        finally:
            process.terminate()
    assert codes == [503, 200]
    assert (stats["seen"], stats["requests"], stats["input_tokens"]) == (2, 1, 1)


@pytest.mark.parametrize("client", ["aiohttp", "httpx", "httpx-aiohttp", "provider"])
def test_the_floor_is_measured_with_every_request_counted(client: str) -> None:
    command = [sys.executable, str(ROOT / "benchmarks/floor.py"), client]
    command += ["--cases", "12", "--concurrency", "4", "--latency-ms", "1"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    figures = json.loads(done.stdout)
    assert (figures["client"], figures["requests"]) == (client, 13)  # one to warm up
    assert figures["wall_s"] >= 0.003
    assert figures["cpu_ms_a_case"] > 0
