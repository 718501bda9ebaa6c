"""What tasks leave behind together is written together, and nothing of it is lost."""

import asyncio
from collections.abc import Sequence

import pytest

from evalkit.workflows.traces.gathering import Gatherer

AN_HOUR_S = 3600.0


class Disk:
    """Keeps what was written, write by write."""

    def __init__(self, error: Exception | None = None) -> None:
        self.writes: list[list[str]] = []
        self._error = error

    def write(self, items: Sequence[str]) -> None:
        self.writes.append(list(items))
        if self._error is not None:
            raise self._error


def test_what_ends_while_others_are_open_is_written_in_one_go() -> None:
    disk = Disk()

    async def work() -> None:
        gatherer = Gatherer(disk.write, gather_s=AN_HOUR_S)
        waiting = [asyncio.create_task(gatherer.put(each, alone=False)) for each in "ab"]
        await asyncio.sleep(0)
        await gatherer.put("c", alone=True)
        await asyncio.gather(*waiting)

    asyncio.run(work())
    assert disk.writes == [["a", "b", "c"]]


def test_it_is_written_after_a_moment_where_no_other_ends() -> None:
    disk = Disk()

    async def work() -> None:
        gatherer = Gatherer(disk.write, gather_s=0.001)
        await gatherer.put("a", alone=False)
        assert disk.writes == [["a"]]
        await gatherer.put("b", alone=False)

    asyncio.run(work())
    assert disk.writes == [["a"], ["b"]]


def test_what_is_cut_off_while_it_waits_for_others_is_written_all_the_same() -> None:
    disk = Disk()

    async def work() -> None:
        gatherer = Gatherer(disk.write, gather_s=AN_HOUR_S)
        waiting = asyncio.create_task(gatherer.put("a", alone=False))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(work())  # which waits for its threads
    assert disk.writes == [["a"]]


def test_everybody_hears_of_a_write_that_failed() -> None:
    async def work() -> list[BaseException | None]:
        gatherer = Gatherer(Disk(OSError("full")).write, gather_s=0.001)
        puts = [gatherer.put(each, alone=False) for each in "ab"]
        return await asyncio.gather(*puts, return_exceptions=True)

    assert [str(each) for each in asyncio.run(work())] == ["full", "full"]
