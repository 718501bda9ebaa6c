"""GitHub's REST API as far as evalkit uses it, on a loopback port: it checks every request.

A request that does not fit tests/servers/github_shapes.py, or lacks the token, the API version or
the content type, is answered as GitHub would and kept in `violations`. What the next requests get
is decided by `script` ("name of shape=act", in order) or by `decide`; else they are carried out:

    forbidden, unauthorized, missing, moved, broken (500), not_json, other_json, rate_limit:S,
    spent:S, secondary       refused, and not carried out
    lost, lost_502           carried out, and the reply is lost (reset, or a gateway's error)
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jsonschema
import pytest

from tests.servers.github_shapes import Shape, shape_of

TOKEN = "ghs_0123456789abcdefghijklmnopqrstuvwxyz"
REPO = "acme/support-bot"
HEAD = "3f2a1c9d5e6f708192a3b4c5d6e7f80912345678"
MERGE = "ab" * 20
AT = "2026-11-24T19:33:01Z"


@dataclass(frozen=True)
class Seen:
    """A request that arrived, and what it was answered."""

    shape: str
    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    reply: Any


@dataclass
class GithubServer:
    """Its state is plain data: tests fill and read it. `head_repo` is None for a deleted fork;
    `hide_comments` makes the list lag behind."""

    token: str = TOKEN
    login: str | None = None
    head_repo: str | None = REPO
    hide_comments: bool = False
    comments: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    decide: Callable[[str], str | None] = lambda name: None
    before: Callable[[str], None] = lambda name: None
    _script: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        handler = type("Handler", (_Handler,), {"github": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=lambda: self._http.serve_forever(poll_interval=0.01), daemon=True
        )

    @property
    def url(self) -> str:
        """The API's base URL."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def start(self) -> "GithubServer":
        self._thread.start()
        return self

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(10)

    def script(self, *acts: str) -> None:
        """Acts for the next requests of a shape, such as `make comment=lost`."""
        self._script.extend(acts)

    def names(self) -> list[str]:
        """The shapes of what arrived, in order."""
        return [each.shape for each in self.seen]

    def say(self, body: str, *, login: str = "somebody", kind: str = "User") -> int:
        """Put a comment of somebody there. Returns its id."""
        return int(self._add_comment(body, login=login, kind=kind)["id"])

    def act_of(self, name: str) -> str:
        """What the next request of that shape gets."""
        for index, act in enumerate(self._script):
            if act.partition("=")[0] == name:
                return self._script.pop(index).partition("=")[2]
        return self.decide(name) or "ok"

    def violate(self, what: str) -> tuple[int, Any]:
        """Keep what is wrong with a request, and refuse it."""
        self.violations.append(what)
        return 422, {"message": f"Validation Failed: {what}", "errors": [{"message": what}]}

    def carry_out(
        self, shape: Shape, names: Mapping[str, str], params: Mapping[str, str], body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """Do it: status, reply, further headers."""
        status, headers = shape.status, {}
        reply: Any = None
        if shape.name == "user":
            status, reply = self._user()
        elif shape.name == "pull":
            reply = self._pull(int(names["number"]))
        elif shape.name == "comments":
            shown = [] if self.hide_comments else self.comments
            reply, headers = _page(shown, params, self.url)
        elif shape.name == "make comment":
            login = self.login or "github-actions[bot]"
            kind = "Bot" if self.login is None else "User"
            reply = self._add_comment(body["body"], login=login, kind=kind)
        elif shape.name in ("update comment", "delete comment"):
            found = [each for each in self.comments if each["id"] == int(names["id"])]
            if not found:
                return 404, {"message": "Not Found"}, {}
            if shape.name == "delete comment":
                self.comments.remove(found[0])
            else:
                found[0].update(body)
                reply = found[0]
        elif shape.name == "checks":
            known = [
                each
                for each in self.checks
                if each["name"] == params["check_name"] and each["head_sha"] == names["sha"]
            ]
            page, headers = _page(known, params, self.url)
            reply = {"total_count": len(known), "check_runs": page}
        elif shape.name == "make check":
            reply = self._add_check(body)
        elif shape.name == "update check":
            check = next(each for each in self.checks if each["id"] == int(names["id"]))
            reply = self._update_check(check, body)
        elif shape.name == "statuses":
            reply, headers = _page(self.statuses[::-1], params, self.url)
        elif shape.name == "make status":
            reply = self._add_status(body)
        return status, reply, headers

    def _user(self) -> tuple[int, Any]:
        if self.login is None:
            return 403, {"message": "Resource not accessible by integration"}
        return 200, _private_user(self.login)

    def _pull(self, number: int) -> dict[str, Any]:
        head_repo = None if self.head_repo is None else {"full_name": self.head_repo}
        return {
            "number": number,
            "head": {"sha": HEAD, "repo": head_repo},
            "base": {"sha": "0" * 40, "repo": {"full_name": REPO}},
            "merge_commit_sha": MERGE,
        }

    def _add_comment(self, body: str, *, login: str, kind: str) -> dict[str, Any]:
        with self._lock:
            number = 1 + max((each["id"] for each in self.comments), default=1000)
            url = f"{self.url}/repos/{REPO}/issues/comments/{number}"
            comment = {
                "id": number,
                "node_id": f"IC_{number}",
                "url": url,
                "html_url": f"https://github.test/{REPO}/pull/7#issuecomment-{number}",
                "issue_url": f"{self.url}/repos/{REPO}/issues/7",
                "body": body,
                "user": _user(login, kind),
                "created_at": AT,
                "updated_at": AT,
                "author_association": "NONE",
            }
            self.comments.append(comment)
            return comment

    def _add_check(self, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            number = len(self.checks) + 1
            check = {
                "id": number,
                "node_id": f"CR_{number}",
                "name": body["name"],
                "head_sha": body["head_sha"],
                "external_id": body["external_id"],
                "url": f"{self.url}/repos/{REPO}/check-runs/{number}",
                "html_url": f"https://github.test/{REPO}/runs/{number}",
                "details_url": body.get("details_url"),
                "status": "completed",
                "conclusion": body["conclusion"],
                "started_at": AT,
                "completed_at": AT,
                "check_suite": {"id": 1},
                "app": None,
                "pull_requests": [],
                "output": {"annotations_count": 0, "annotations": []},
            }
            self.checks.append(check)
            return self._update_check(check, body)

    def _update_check(self, check: dict[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
        output = body["output"]
        kept = [*check["output"]["annotations"], *output.get("annotations", ())]
        check["conclusion"] = body["conclusion"]
        check["output"] = {
            "title": output["title"],
            "summary": output["summary"],
            "text": None,
            "annotations_count": len(kept),
            "annotations_url": f"{check['url']}/annotations",
            "annotations": kept,
        }
        return check

    def _add_status(self, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            number = len(self.statuses) + 1
            status = {
                "id": number,
                "node_id": f"SC_{number}",
                "url": f"{self.url}/repos/{REPO}/statuses/{HEAD}",
                "avatar_url": None,
                "creator": _user("github-actions[bot]", "Bot"),
                "created_at": AT,
                "updated_at": AT,
                "target_url": None,
                **body,
            }
            self.statuses.append(status)
            return status


_REFUSALS: dict[str, tuple[int, Any, dict[str, str]]] = {
    "forbidden": (
        403,
        {"message": "Resource not accessible by integration"},
        {"x-accepted-github-permissions": "pull_requests=write"},
    ),
    "unauthorized": (401, {"message": f"Bad credentials {TOKEN}"}, {}),
    "missing": (404, {"message": "Not Found"}, {}),
    "moved": (
        301,
        {"message": "Moved Permanently"},
        {"location": "https://elsewhere.test/repositories/42/issues"},
    ),
    "broken": (500, {"message": "Server Error"}, {}),
    "not_json": (200, "<html>", {}),
    "other_json": (200, {"surprise": 1}, {}),
    "rate_limit": (429, {"message": "Too many"}, {}),
    "spent": (403, {"message": "API rate limit exceeded"}, {"x-ratelimit-remaining": "0"}),
    "secondary": (403, {"message": "You have exceeded a secondary rate limit."}, {}),
}


class _Handler(BaseHTTPRequestHandler):
    """One connection; `github` is the server's state."""

    github: GithubServer
    protocol_version = "HTTP/1.1"
    # a reply in one packet, or each waits 40 ms for the acknowledgement of its headers
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        parts = urlsplit(self.path)
        params = dict(parse_qsl(parts.query))
        body = json.loads(raw) if raw else None
        found = shape_of(self.command, parts.path)
        name = "unknown" if found is None else found[0].name
        self.github.before(name)
        act = self.github.act_of(name)
        status, reply, headers = self._result(act, found, params, body)
        self.github.seen.append(
            Seen(
                shape=name,
                method=self.command,
                path=parts.path,
                params=params,
                headers={key.lower(): value for key, value in self.headers.items()},
                body=body,
                status=status,
                reply=reply,
            )
        )
        if act == "lost":
            self.close_connection = True
            self.connection.close()
            return
        if act == "lost_502":
            status, reply = 502, {"message": "Bad Gateway"}
        self._send(status, reply, headers)

    def _result(
        self,
        act: str,
        found: tuple[Shape, dict[str, str]] | None,
        params: dict[str, str],
        body: Any,
    ) -> tuple[int, Any, dict[str, str]]:
        kind, _, argument = act.partition(":")
        if kind in _REFUSALS:
            status, reply, headers = _REFUSALS[kind]
            extra = {
                "rate_limit": {"retry-after": argument},
                "spent": {"x-ratelimit-reset": argument},
            }
            return status, reply, headers | extra.get(kind, {})
        wrong = self._wrong(found, params, body)
        if wrong is not None:
            return (*self.github.violate(wrong), {})
        assert found is not None
        return self.github.carry_out(*found, params, body)

    def _wrong(
        self, found: tuple[Shape, dict[str, str]] | None, params: dict[str, str], body: Any
    ) -> str | None:
        where = f"{self.command} {self.path}"
        headers = self.headers
        if found is None:
            return f"{where} is no request that evalkit should make"
        shape, names = found
        if headers.get("authorization") != f"Bearer {self.github.token}":
            return f"{where} has not the token"
        if headers.get("accept") != "application/vnd.github+json":
            return f"{where} accepts {headers.get('accept')}"
        if headers.get("x-github-api-version") != "2022-11-28":
            return f"{where} has no API version"
        if f"{names.get('owner', 'acme')}/{names.get('repo', 'support-bot')}" != REPO:
            return f"{where} is about another repository"
        if set(params) != set(shape.params):
            return f"{where} has the parameters {sorted(params)}"
        if shape.body is None:
            return None if body is None else f"{where} has a body"
        if headers.get("content-type") != "application/json":
            return f"{where} is of type {headers.get('content-type')}"
        try:
            jsonschema.validate(body, shape.body)
        except jsonschema.ValidationError as error:
            return f"{where}: {error.message[:300]} at {list(error.absolute_path)}"
        return None

    def _send(self, status: int, reply: Any, headers: Mapping[str, str]) -> None:
        raw = b"" if reply is None else json.dumps(reply).encode()
        raw = b"<html>" if reply == "<html>" else raw
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


def _page(
    values: list[dict[str, Any]], params: Mapping[str, str], url: str
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    size, number = int(params["per_page"]), int(params["page"])
    start = (number - 1) * size
    more = start + size < len(values)
    link = f'<{url}/x?page={number + 1}>; rel="next", <{url}/x?page=9>; rel="last"'
    return values[start : start + size], {"link": link} if more else {}


def _user(login: str, kind: str) -> dict[str, Any]:
    url = f"https://github.test/users/{login.partition('[')[0]}"
    names = ("followers", "subscriptions", "organizations", "repos", "received_events")
    return {
        "login": login,
        "id": 41898282,
        "node_id": "U_1",
        "avatar_url": f"{url}/avatar",
        "gravatar_id": "",
        "url": url,
        "html_url": url,
        **{f"{name}_url": f"{url}/{name}" for name in names},
        "following_url": f"{url}/following",
        "gists_url": f"{url}/gists",
        "starred_url": f"{url}/starred",
        "events_url": f"{url}/events",
        "type": kind,
        "site_admin": False,
    }


def _private_user(login: str) -> dict[str, Any]:
    counts = ("public_repos", "public_gists", "followers", "following")
    texts = ("name", "company", "blog", "location", "email", "bio")
    return {
        **_user(login, "User"),
        **dict.fromkeys(counts, 1),
        **dict.fromkeys(texts, ""),
        "hireable": None,
        "created_at": AT,
        "updated_at": AT,
    }


@pytest.fixture
def github_server() -> Iterator[GithubServer]:
    """A server that knows one repository with pull request 7."""
    server = GithubServer().start()
    yield server
    server.stop()
    assert server.violations == []
