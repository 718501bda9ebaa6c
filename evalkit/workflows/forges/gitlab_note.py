"""One note on a merge request: found again by its stamp, updated in place, made where missing.

As on GitHub, jobs end in any order: of several notes with one key the oldest stays and shows the
newest run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalkit.errors import HostError
from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.workflows.forges.github_comment import check_collision
from evalkit.workflows.forges.host_api import HostApi, Unanswered, quoted

_LOOKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Note:
    """A note of ours under our key."""

    id: int
    body: str
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteWriter:
    """Writes the note of one key on one merge request. `user` is the id of whose token it is."""

    api: HostApi
    project: str
    merge_request: int
    user: int

    async def write(self, body: str, stamp: Stamp) -> str:
        """Show `body`, unless a newer run is shown. Returns what was done, in words.

        Raises HostError, and UsageError where another job of the pipeline uses the same key.
        """
        made = False
        for _ in range(_LOOKS):
            found = await self._found(stamp.key)
            if not found:
                try:
                    await self.api.call("POST", self._path(), {"body": body})
                    made = True
                except Unanswered:
                    pass  # it may be there now
                continue
            newer = next((each for each in found if stamp.is_older_than(each.stamp)), None)
            if newer is not None:
                await self._drop([each for each in found[1:] if each.stamp == stamp])
                return f"left as it is, as it shows the newer run {newer.stamp.run}"
            check_collision(stamp, [each.stamp for each in found], what="note")
            if await self._show(found[0], body):
                await self._drop(found[1:])
                return "made" if made else "updated"
        raise HostError(
            f"{self.api.host}: the note was made {_LOOKS} times and was never there afterwards"
        )

    async def _found(self, key: str) -> list[_Note]:
        """Our notes under the key, the oldest first."""
        found = []
        async for page in self.api.pages(self._path(), params={"sort": "asc"}):
            for each in page if isinstance(page, list) else ():
                body = each.get("body") or ""
                stamp = read_stamp(body)
                if stamp is not None and stamp.key == key and self._is_ours(each):
                    found.append(_Note(id=each["id"], body=body, stamp=stamp))
        return sorted(found, key=lambda each: each.id)

    def _is_ours(self, note: Mapping[str, Any]) -> bool:
        author = note.get("author")
        return isinstance(author, dict) and author.get("id") == self.user

    async def _show(self, note: _Note, body: str) -> bool:
        """Update it. False where it was deleted meanwhile."""
        if note.body.replace("\r\n", "\n").rstrip() == body.rstrip():
            return True
        try:
            await self.api.call("PUT", self._path(note), {"body": body})
        except HostError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _drop(self, notes: list[_Note]) -> None:
        """Delete what another job made at the same moment; one that is gone is fine."""
        for note in notes:
            try:
                await self.api.call("DELETE", self._path(note))
            except HostError as error:
                if error.status != 404:
                    raise

    def _path(self, note: _Note | None = None) -> str:
        path = quoted("projects", self.project, "merge_requests", str(self.merge_request), "notes")
        return path if note is None else path + quoted(str(note.id))
