"""The comments of a pull request, among them evalkit's: found by stamp and by who wrote them."""

from dataclasses import dataclass

from evalkit.report.github.stamp import Stamp, read_stamp
from evalkit.workflows.forges.artifacts import typed
from evalkit.workflows.forges.github_context import GithubContext
from evalkit.workflows.forges.github_replies import Comment, User
from evalkit.workflows.forges.host_api import HostApi, quoted
from evalkit.workflows.forges.stamped import Stamped, show


@dataclass(frozen=True, slots=True, kw_only=True)
class CommentWriter:
    """Writes the comment of one key on one pull request.

    `login` is who the token belongs to; None for a GitHub app's, whose comments are a bot's.
    """

    api: HostApi
    context: GithubContext
    login: str | None
    noun: str = "comment"

    async def write(self, body: str, stamp: Stamp) -> str:
        """Show `body`, unless a newer run is shown. Returns what was done, in words.

        Raises HostError, and UsageError where another job of the CI run uses the same key.
        """
        return await show(self, body, stamp)

    async def found(self, key: str) -> list[Stamped]:
        """Our comments under the key, the oldest first."""
        found = []
        async for page in self.api.pages(self._path):
            for each in typed(page, list[Comment], self.api):
                body = each.body or ""
                stamp = read_stamp(body)
                if stamp is not None and stamp.key == key and self._is_ours(each.user):
                    found.append(Stamped(id=each.id, body=body, url=each.html_url, stamp=stamp))
        return sorted(found, key=lambda each: each.id)

    async def make(self, body: str) -> str:
        """Make a comment. Returns its address."""
        reply = await self.api.call("POST", self._path, {"body": body})
        return typed(reply, Comment, self.api).html_url

    async def replace(self, text: Stamped, body: str) -> None:
        """Replace what a comment says."""
        await self.api.call("PATCH", self._path_of(text), {"body": body})

    async def delete(self, text: Stamped) -> None:
        """Delete a comment."""
        await self.api.call("DELETE", self._path_of(text))

    def _is_ours(self, user: User | None) -> bool:
        if user is None:
            return False
        return user.type == "Bot" if self.login is None else user.login == self.login

    @property
    def _path(self) -> str:
        context = self.context
        return quoted("repos", context.owner, context.name, "issues", str(context.pr), "comments")

    def _path_of(self, text: Stamped) -> str:
        context = self.context
        return quoted("repos", context.owner, context.name, "issues", "comments", str(text.id))
