"""The notes of a merge request, among them evalkit's: found by stamp and by who wrote them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.workflows.forges.host_api import HostApi, quoted
from evalkit.workflows.forges.stamped import Stamped, show


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWriter:
    """Writes the note of one key on one merge request. `user` is the id of whose token it is."""

    api: HostApi
    project: str
    merge_request: int
    user: int
    noun: str = "note"

    async def write(self, body: str, stamp: Stamp) -> str:
        """Show `body`, unless a newer run is shown. Returns what was done, in words.

        Raises HostError, and UsageError where another job of the pipeline uses the same key.
        """
        return await show(self, body, stamp)

    async def found(self, key: str) -> list[Stamped]:
        """Our notes under the key, the oldest first."""
        found = []
        async for page in self.api.pages(self._path(), params={"sort": "asc"}):
            for each in page if isinstance(page, list) else ():
                body = each.get("body") or ""
                stamp = read_stamp(body)
                if stamp is not None and stamp.key == key and self._is_ours(each):
                    found.append(Stamped(id=each["id"], body=body, stamp=stamp))
        return sorted(found, key=lambda each: each.id)

    async def make(self, body: str) -> str:
        """Make a note, whose address GitLab does not tell."""
        await self.api.call("POST", self._path(), {"body": body})
        return ""

    async def replace(self, text: Stamped, body: str) -> None:
        """Replace what a note says."""
        await self.api.call("PUT", self._path(text), {"body": body})

    async def delete(self, text: Stamped) -> None:
        """Delete a note."""
        await self.api.call("DELETE", self._path(text))

    def _is_ours(self, note: Mapping[str, Any]) -> bool:
        author = note.get("author")
        return isinstance(author, dict) and author.get("id") == self.user

    def _path(self, text: Stamped | None = None) -> str:
        path = quoted("projects", self.project, "merge_requests", str(self.merge_request), "notes")
        return path if text is None else path + quoted(str(text.id))
