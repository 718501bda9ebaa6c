"""A request whose client leaves ends, and one that is stopped otherwise ends as it was stopped."""

import asyncio
from typing import Any

import pytest

from evalkit.gateway.exchange import ClientLeft, Exchange


class Client:
    """Sends a body and leaves when told."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.cancelled = False

    def exchange(self) -> Exchange:
        scope = {"method": "POST", "headers": []}
        return Exchange(scope, self.receive, self.send, request_id="r")

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        raise AssertionError("nothing is answered here")

    async def work_for_ever(self) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


def test_the_work_of_a_client_that_leaves_is_cancelled_and_nothing_else_is() -> None:
    async def serve() -> None:
        client = Client()
        asyncio.get_running_loop().call_soon(client.leaves.set)
        with pytest.raises(ClientLeft):
            await client.exchange().while_listening(client.work_for_ever())
        assert client.cancelled
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()
        await asyncio.sleep(0)  # the task itself goes on

    asyncio.run(serve())


def test_a_client_that_leaves_hides_no_other_end_of_the_same_moment() -> None:
    async def serve() -> None:
        client = Client()
        task = asyncio.create_task(client.exchange().while_listening(client.work_for_ever()))
        for _ in range(2):  # until somebody listens
            await asyncio.sleep(0)
        client.leaves.set()
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelling() == 1

    asyncio.run(serve())


def test_a_result_is_handed_on_and_nobody_listens_any_more() -> None:
    async def serve() -> None:
        client = Client()

        async def work() -> str:
            return "done"

        assert await client.exchange().while_listening(work()) == "done"
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(serve())


def test_a_request_that_is_cancelled_by_others_ends_as_cancelled() -> None:
    async def serve() -> None:
        client = Client()
        task = asyncio.create_task(client.exchange().while_listening(client.work_for_ever()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert client.cancelled

    asyncio.run(serve())
