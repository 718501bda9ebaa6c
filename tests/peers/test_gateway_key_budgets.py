"""Budgets of a key: held before the call, by all gateway processes of a project together."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

from tests.peers.gateway import EVALKIT, USAGE, gateway, serving, upstream

CAP = 700


def test_two_processes_keep_a_key_to_its_cap_and_tell_it_as_the_rule(tmp_path: Path) -> None:
    with upstream() as up, gateway(tmp_path, up.url) as one, serving(tmp_path) as other:
        key = one.add_key("--max-tokens", str(CAP), "--window", "month")

        def ask(url: str) -> httpx.Response:
            body = {"model": "plain", "messages": [{"role": "user", "content": "hello"}]}
            headers = {"authorization": f"Bearer {key}"}
            return httpx.post(f"{url}/chat/completions", json=body, headers=headers, timeout=60)

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, [one.url, other[0]] * 16))
        served = [each for each in answers if each.status_code == 200]
        refused = [each for each in answers if each.status_code != 200]
        assert len(served) == len(up.bodies) >= 2
        assert USAGE["total_tokens"] * len(served) <= CAP
        assert refused, "the cap refuses before it is passed"
        for each in refused:
            assert each.status_code == 429
            assert each.headers["x-should-retry"] == "false"
            assert each.json()["error"]["rule"] == "budgets.key.max_tokens"
    assert _listed(tmp_path)["taken_tokens"] == USAGE["total_tokens"] * len(served)


def _listed(root: Path) -> dict[str, Any]:
    command = [*EVALKIT, "key", "list", "--json"]
    told = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True)
    (listed,) = (each for each in json.loads(told.stdout) if each["caps"])
    return dict(listed)
