"""The hidden first line of a comment: whose it is, and of which run, so that it is found again.

Runs of CI end in any order, and the comment has to show the newest. A stamp is older than another
by the CI run's number and attempt where both have them (a job that is started again keeps its
number, however late it is), else by when the run started.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

_MARKER = re.compile(
    r"<!-- evalkit:(?P<key>[\w./-]+) run=(?P<run>\S+) at=(?P<at>\S+) ci=(?P<ci>\d+|-)/(?P<try>\d+)"
    r" suites=(?P<suites>\w+) exit=(?P<exit>\d+) -->"
)
_MOST_KEY = 80


def clean_key(name: str) -> str:
    """A key that can stand in an HTML comment; one that had to be changed gets a digest."""
    clean = re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._/-]+", "-", name)).strip("-/")[:_MOST_KEY]
    if clean and clean == name:
        return clean
    return f"{clean or 'key'}.{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which run a comment or check shows.

    `key` tells it from others of the repository, `ci` and `attempt` are CI's number of the run and
    how often it was started, `suites` digests the suites that ran, `exit_code` is the run's.
    """

    key: str
    run: str
    at: str
    ci: int | None = None
    attempt: int = 1
    suites: str = "none"
    exit_code: int = 0

    @property
    def marker(self) -> str:
        """The stamp as an HTML comment, which a page does not show."""
        ci = "-" if self.ci is None else self.ci
        return (
            f"<!-- evalkit:{self.key} run={self.run} at={self.at} ci={ci}/{self.attempt} "
            f"suites={self.suites} exit={self.exit_code} -->"
        )

    def is_older_than(self, other: "Stamp") -> bool:
        """Whether `other` shows a newer run, so that this one must not replace it."""
        if self.ci is not None and other.ci is not None:
            mine, theirs = (self.ci, self.attempt), (other.ci, other.attempt)
            if mine != theirs:
                return mine < theirs
        return started_after(other.at, self.at)

    def collides_with(self, other: "Stamp") -> bool:
        """Whether another run of the same CI run is shown there and would be hidden: one of other
        suites, or one that did not pass. Two jobs, as of a matrix, use one key then."""
        same = self.ci is not None and (self.ci, self.attempt) == (other.ci, other.attempt)
        hides = self.suites != other.suites or other.exit_code != 0
        return same and self.run != other.run and hides


def read_stamp(text: str) -> Stamp | None:
    """The stamp at the very start of a text; None where there is none.

    What stands further down is no stamp: reports quote texts of models there.
    """
    found = _MARKER.match(text)
    if found is None:
        return None
    return Stamp(
        key=found["key"],
        run=found["run"],
        at=found["at"],
        ci=None if found["ci"] == "-" else int(found["ci"]),
        attempt=int(found["try"]),
        suites=found["suites"],
        exit_code=int(found["exit"]),
    )


def started_after(one: str, other: str) -> bool:
    """Whether an ISO 8601 time is after another."""
    return _moment(one) > _moment(other)


def _moment(text: str) -> datetime:
    """An ISO 8601 time; the beginning of time for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
