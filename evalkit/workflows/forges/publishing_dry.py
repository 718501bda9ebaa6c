"""A transport that sends nothing: what would be sent is kept, without headers and their token."""

from collections.abc import Mapping
from typing import Any

import msgspec

from evalkit.ports import HttpReply

UNKNOWN_SHA = "0" * 40


class DryRun:
    """Answers as a host would that has nothing of ours yet; the unknown head commit is zeros."""

    def __init__(self) -> None:
        """Nothing was asked yet."""
        self.requests: list[dict[str, Any]] = []
        self._made: list[dict[str, Any]] = []

    async def post(
        self, url: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> HttpReply:
        """Keep a POST."""
        return await self.request("POST", url, headers=headers, body=body, timeout_s=timeout_s)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
    ) -> HttpReply:
        """Keep a request and answer it."""
        content = None if body is None else msgspec.json.decode(body)
        kept = {"method": method, "url": url}
        self.requests.append(kept if content is None else {**kept, "body": content})
        answer = self._answer(method, url.partition("?")[0], content)
        status = 201 if method == "POST" else 200
        return HttpReply(status=status, headers={}, body=msgspec.json.encode(answer))

    def _answer(self, method: str, path: str, content: Any) -> Any:
        if method != "GET":
            made = {"id": len(self._made) + 1, "html_url": "", **(content or {})}
            self._made.append({**made, "user": {"login": "", "type": "Bot"}})
            return made
        if "/pulls/" in path:
            side = {"sha": UNKNOWN_SHA, "repo": {"full_name": ""}}
            return {"head": side, "base": side}
        if path.endswith("/check-runs"):
            return {"total_count": 0, "check_runs": []}
        if path.endswith("/comments"):
            return [each for each in self._made if "body" in each]
        return []

    async def close(self) -> None:
        """There is nothing to give back."""
