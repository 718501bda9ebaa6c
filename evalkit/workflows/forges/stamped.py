"""One text of ours in a thread: found again by its stamp, updated in place, made where missing.

Jobs end in any order and may publish at once. Whoever publishes looks again after making a text: of
several with one key the oldest stays and shows the newest run.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from evalkit.errors import HostError, UsageError
from evalkit.report.github.stamp import Stamp
from evalkit.workflows.forges.host_api import HostApi, Unanswered

_LOOKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped:
    """A text of ours under our key. `url` is empty where the host tells none."""

    id: int
    body: str
    stamp: Stamp
    url: str = ""


class Thread(Protocol):
    """Where texts stand: a pull request's comments, a merge request's notes. Raises HostError."""

    @property
    def api(self) -> HostApi:
        """The host."""

    @property
    def noun(self) -> str:
        """What the host calls a text."""

    async def found(self, key: str) -> list[Stamped]:
        """Our texts under the key, the oldest first."""

    async def make(self, body: str) -> str:
        """Make a text. Returns its address, empty where the host tells none."""

    async def replace(self, text: Stamped, body: str) -> None:
        """Replace what a text says."""

    async def delete(self, text: Stamped) -> None:
        """Delete a text."""


async def show(thread: Thread, body: str, stamp: Stamp) -> str:
    """Show `body` in the thread, unless a newer run is shown. Returns what was done, in words.

    Raises HostError, and UsageError where another job of the CI run uses the same key.
    """
    made: str | None = None
    for _ in range(_LOOKS):
        found = await thread.found(stamp.key)
        if not found and made is not None:  # the list lags behind
            return _done("made", made)
        if not found:
            with suppress(Unanswered):  # it may be there now
                made = await thread.make(body)
            continue
        newer = next((each for each in found if stamp.is_older_than(each.stamp)), None)
        if newer is not None:
            await _drop(thread, [each for each in found[1:] if each.stamp == stamp])
            words = f"left as it is, as it shows the newer run {newer.stamp.run}"
            return _done(words, newer.url)
        check_collision(stamp, [each.stamp for each in found], what=thread.noun)
        if await _update(thread, found[0], body):
            await _drop(thread, found[1:])
            return _done("updated" if made is None else "made", found[0].url)
        made = None
    raise HostError(
        f"{thread.api.host}: the {thread.noun} was made {_LOOKS} times and was never there "
        "afterwards"
    )


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


def _done(words: str, url: str) -> str:
    return f"{words}: {url}" if url else words


async def _update(thread: Thread, text: Stamped, body: str) -> bool:
    """Update it. False where it was deleted meanwhile."""
    if text.body.replace("\r\n", "\n").rstrip() == body.rstrip():
        return True
    try:
        await thread.replace(text, body)
    except HostError as error:
        if error.status != 404:
            raise
        return False
    return True


async def _drop(thread: Thread, texts: list[Stamped]) -> None:
    """Delete what another job made at the same moment; one that is gone is fine."""
    for text in texts:
        try:
            await thread.delete(text)
        except HostError as error:
            if error.status != 404:
                raise
