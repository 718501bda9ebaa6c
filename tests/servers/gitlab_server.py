"""GitLab's REST API as far as `evalkit publish gitlab` uses it, on a loopback port.

It knows one project, its merge requests' notes and its commits' statuses, checks the token and the
form of what it is sent, and carries out quick actions as GitLab has: it looks for them outside of
code blocks that end where its own pattern says, which is not where Markdown says.
"""

import re
from typing import Any

from tests.servers.ci_server import Asked, CiServer, Page

TOKEN = "glpat-0123456789abcdef"
API = "/api/v4"
NOTE_LIMIT = 1_000_000
STATES = {"pending", "running", "success", "failed", "canceled", "skipped"}
_CODE = re.compile(r"^```.+?\n```$", re.MULTILINE | re.DOTALL)
_ACTION = re.compile(r"^[ \t]*/([a-z_]+)", re.MULTILINE)


class GitlabServer(CiServer):
    """`notes` and `statuses` are plain data; `refuse` maps (method, last word of the path) to a
    status that is answered instead."""

    def __init__(self, *, project: str = "41", token: str = TOKEN, user: int = 9) -> None:
        super().__init__()
        self.project, self.token, self.user = project, token, user
        self.notes: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self.actions: list[str] = []
        self.violations: list[str] = []
        self.refuse: dict[tuple[str, str], int] = {}

    @property
    def api(self) -> str:
        """The base URL of its API."""
        return self.url + API

    def add_note(self, body: str, author: int | None = None) -> int:
        """A note that is there already."""
        number = 100 + len(self.notes)
        author = self.user if author is None else author
        self.notes.append({"id": number, "body": body, "author": {"id": author}})
        return number

    def answer(self, asked: Asked) -> Any:
        if asked.headers.get("private-token") != self.token:
            return Page(401, {"message": "401 Unauthorized"})
        words = asked.path.removeprefix(API).strip("/").split("/")
        kind = next((word for word in reversed(words) if not word.isdigit()), "")
        refused = self.refuse.get((asked.method, kind))
        if refused is not None:
            return Page(refused, {"message": f"{refused} No"})
        if words == ["user"]:
            return {"id": self.user, "username": "project_41_bot"}
        if words[:2] != ["projects", self.project]:
            return Page(404, {"message": "404 Project Not Found"})
        if words[2] == "statuses" and asked.method == "POST":
            return self._set_status(words[3], asked)
        if words[2] == "merge_requests" and words[4] == "notes":
            return self._notes(asked, int(words[5]) if len(words) > 5 else None)
        return Page(404, {"message": "404 Not Found"})

    def _notes(self, asked: Asked, number: int | None) -> Any:
        if asked.method == "GET":
            page, size = int(asked.query["page"]), int(asked.query["per_page"])
            shown = self.notes[(page - 1) * size : page * size]
            more = len(self.notes) > page * size
            return Page(body=shown, headers={"link": '<x>; rel="next"'} if more else {})
        if asked.method == "POST":
            self._check_note(asked)
            number = self.add_note(asked.body["body"])
            return Page(201, self.notes[-1])
        note = next((each for each in self.notes if each["id"] == number), None)
        if note is None:
            return Page(404, {"message": "404 Note Not Found"})
        if asked.method == "DELETE":
            self.notes.remove(note)
            return Page(204)
        self._check_note(asked)
        note["body"] = asked.body["body"]
        return note

    def _check_note(self, asked: Asked) -> None:
        if asked.headers.get("content-type") != "application/json":
            self.violations.append("a note is JSON")
        if set(asked.body) != {"body"} or not 0 < len(asked.body["body"]) <= NOTE_LIMIT:
            self.violations.append("a note has a body, of up to 1,000,000 characters")
        self.actions += _ACTION.findall(_CODE.sub("", asked.body["body"]))

    def _set_status(self, sha: str, asked: Asked) -> Any:
        known = {"state", "name", "description", "target_url", "pipeline_id", "ref", "coverage"}
        if asked.body.get("state") not in STATES or set(asked.body) - known:
            self.violations.append(f"no status: {asked.body}")
        if len(asked.body.get("description", "")) > 255:
            self.violations.append("a description has up to 255 characters")
        self.statuses.append({"sha": sha, **asked.body})
        return Page(201, self.statuses[-1])
