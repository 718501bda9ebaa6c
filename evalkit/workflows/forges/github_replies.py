"""What GitHub's REST API answers, as far as publishing reads it; whatever else is there is left."""

import msgspec


class User(msgspec.Struct, frozen=True):
    """An account; `type` is `Bot` for a GitHub app's."""

    login: str
    type: str = "User"


class Comment(msgspec.Struct, frozen=True):
    """A comment on an issue or a pull request; `user` is None where the account is gone."""

    id: int
    body: str | None = None
    html_url: str = ""
    user: User | None = None


class Output(msgspec.Struct, frozen=True):
    """What a check run shows."""

    annotations_count: int = 0


class CheckRun(msgspec.Struct, frozen=True):
    """A check run."""

    id: int
    external_id: str | None = None
    html_url: str | None = None
    output: Output = Output()


class CheckRuns(msgspec.Struct, frozen=True):
    """A page of check runs."""

    check_runs: list[CheckRun]


class Status(msgspec.Struct, frozen=True):
    """A commit status."""

    context: str
    state: str
    target_url: str | None = None


class Repository(msgspec.Struct, frozen=True):
    """A repository; its full name is OWNER/NAME."""

    full_name: str


class Side(msgspec.Struct, frozen=True):
    """The head or the base of a pull request; `repo` is None where it was deleted."""

    sha: str
    repo: Repository | None = None


class PullRequest(msgspec.Struct, frozen=True):
    """A pull request; `merge_commit_sha` is the merge that CI tests, where there is one."""

    head: Side
    base: Side
    merge_commit_sha: str | None = None

    @property
    def fork(self) -> bool:
        """Whether its two sides are of different repositories; a deleted one is a fork."""
        return self.head.repo is None or self.head.repo != self.base.repo
