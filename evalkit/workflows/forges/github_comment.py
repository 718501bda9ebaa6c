"""One comment on a pull request: found again by its stamp, updated in place, made where missing.

Jobs end in any order and may publish at once. Whoever publishes looks again after making a comment:
of several with one key the oldest comment stays and shows the newest run.
"""

from dataclasses import dataclass

from evalkit.errors import HostError, UsageError
from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.workflows.forges.artifacts import typed
from evalkit.workflows.forges.github_context import GithubContext
from evalkit.workflows.forges.github_replies import Comment, User
from evalkit.workflows.forges.host_api import HostApi, Unanswered, quoted

_LOOKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comment:
    """A comment of ours under our key."""

    id: int
    body: str
    url: str
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentWriter:
    """Writes the comment of one key on one pull request.

    `login` is who the token belongs to; None for a GitHub app's, whose comments are a bot's.
    """

    api: HostApi
    context: GithubContext
    login: str | None

    async def write(self, body: str, stamp: Stamp) -> str:
        """Show `body`, unless a newer run is shown. Returns what was done, in words.

        Raises HostError, and UsageError where another job of the CI run uses the same key.
        """
        made: str | None = None
        for _ in range(_LOOKS):
            found = await self._found(stamp.key)
            if not found and made is not None:  # the list lags behind
                return f"made: {made}"
            if not found:
                try:
                    reply = await self.api.call("POST", self._path, {"body": body})
                    made = typed(reply, Comment, self.api).html_url
                except Unanswered:
                    pass  # it may be there now
                continue
            newer = next((each for each in found if stamp.is_older_than(each.stamp)), None)
            if newer is not None:
                await self._drop([each for each in found[1:] if each.stamp == stamp])
                return f"left as it is, as it shows the newer run {newer.stamp.run}: {newer.url}"
            check_collision(stamp, [each.stamp for each in found], what="comment")
            if await self._show(found[0], body):
                await self._drop(found[1:])
                return f"{'updated' if made is None else 'made'}: {found[0].url}"
            made = None
        raise HostError(
            f"{self.api.host}: the comment was made {_LOOKS} times and was never there afterwards"
        )

    @property
    def _path(self) -> str:
        return quoted(
            "repos",
            self.context.owner,
            self.context.name,
            "issues",
            str(self.context.pr),
            "comments",
        )

    async def _found(self, key: str) -> list[_Comment]:
        """Our comments under the key, the oldest first."""
        found = []
        async for page in self.api.pages(self._path):
            for each in typed(page, list[Comment], self.api):
                body = each.body or ""
                stamp = read_stamp(body)
                if stamp is not None and stamp.key == key and self._is_ours(each.user):
                    found.append(_Comment(id=each.id, body=body, url=each.html_url, stamp=stamp))
        return sorted(found, key=lambda each: each.id)

    def _is_ours(self, user: User | None) -> bool:
        if user is None:
            return False
        return user.type == "Bot" if self.login is None else user.login == self.login

    async def _show(self, comment: _Comment, body: str) -> bool:
        """Update it. False where it was deleted meanwhile."""
        if comment.body.replace("\r\n", "\n").rstrip() == body.rstrip():
            return True
        try:
            await self.api.call("PATCH", self._comment_path(comment), {"body": body})
        except HostError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _drop(self, comments: list[_Comment]) -> None:
        """Delete what another job made at the same moment; one that is gone is fine."""
        for comment in comments:
            try:
                await self.api.call("DELETE", self._comment_path(comment))
            except HostError as error:
                if error.status != 404:
                    raise

    def _comment_path(self, comment: _Comment) -> str:
        context = self.context
        return quoted("repos", context.owner, context.name, "issues", "comments", str(comment.id))


def check_collision(stamp: Stamp, others: list[Stamp], *, what: str) -> None:
    """Raise UsageError where another job of the CI run is shown under the key and would be hidden.

    One that did not pass replaces one that passed all the same, so that nothing looks green.
    """
    hidden = next((each for each in others if stamp.collides_with(each)), None)
    if hidden is None or (hidden.exit_code == 0 and stamp.exit_code != 0):
        return
    raise UsageError(
        f"another job of this CI run published run {hidden.run} (exit {hidden.exit_code}) under "
        f"the key {stamp.key!r}, and this {what} would hide it; give each job a --key of its own"
    )
