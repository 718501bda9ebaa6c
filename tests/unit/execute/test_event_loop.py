"""The loop of a run: one reply after the other, and nobody kept waiting for ever."""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from evalkit.execute.event_loop import run_calls

Send = Callable[[bytes], None]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is asyncio's loop")


async def connected(stack: ExitStack, count: int) -> tuple[list[asyncio.StreamReader], list[Send]]:
    """Connections, each by its near end and by what sends a line from its far end."""
    readers, sends = [], []
    for _ in range(count):
        near, far = (stack.enter_context(end) for end in socket.socketpair())
        reader, writer = await asyncio.open_connection(sock=near)
        stack.callback(writer.close)
        readers.append(reader)
        sends.append(far.sendall)
    return readers, sends


async def order_of_work(replies: int) -> list[str]:
    """What was done in which order with replies that come all at once, two steps for each."""
    done: list[str] = []

    async def work(number: int, reader: asyncio.StreamReader) -> None:
        await reader.readline()
        done.append(f"read {number}")
        await asyncio.sleep(0)
        done.append(f"ended {number}")

    with ExitStack() as stack:
        readers, sends = await connected(stack, replies)

        def answer() -> None:
            for send in sends:
                send(b"reply\n")

        # by then all of them wait
        asyncio.get_running_loop().call_later(0.001, answer)
        await asyncio.gather(*(work(number, reader) for number, reader in enumerate(readers)))
    return done


def test_a_reply_is_carried_to_its_end_before_the_next_one_is_read() -> None:
    done = run_calls(order_of_work(8))

    assert len(done) == 16
    assert [done[at + 1] for at in range(0, 16, 2)] == [
        each.replace("read", "ended") for each in done[::2]
    ]


def test_asyncios_own_loop_would_end_such_replies_together() -> None:
    done = asyncio.run(order_of_work(8))

    assert all(each.startswith("read") for each in done[:8])


def test_a_task_that_never_rests_does_not_keep_replies_unread() -> None:
    async def spin(until: asyncio.Event) -> None:
        while not until.is_set():
            await asyncio.sleep(0)

    async def main() -> list[bytes]:
        read = asyncio.Event()
        with ExitStack() as stack:
            readers, sends = await connected(stack, 4)
            spinning = asyncio.create_task(spin(read))
            for number, send in enumerate(sends):
                send(f"reply {number}\n".encode())
            lines = await asyncio.gather(*(each.readline() for each in readers))
            read.set()
            await spinning
        return lines

    assert run_calls(main()) == [f"reply {number}\n".encode() for number in range(4)]


def test_a_connection_that_always_has_more_does_not_starve_the_others() -> None:
    async def main() -> bytes:
        with ExitStack() as stack:
            chatty, source = (stack.enter_context(end) for end in socket.socketpair())
            chatty.setblocking(False)
            source.sendall(b"never read")
            asyncio.get_running_loop().add_reader(chatty, lambda: None)
            (reader,), (send,) = await connected(stack, 1)
            send(b"reply\n")
            line = await reader.readline()
            asyncio.get_running_loop().remove_reader(chatty)
            return line

    assert run_calls(main()) == b"reply\n"


def test_a_loop_that_never_rests_reads_what_is_ready_together_until_it_rests() -> None:
    files = 4

    async def seen_in(events: int) -> list[str]:
        """What is read and ended of sockets that are always ready, the last events of so many."""
        loop, seen, enough = asyncio.get_running_loop(), list[str](), asyncio.Event()

        def read(number: int) -> None:
            seen.append(f"read {number}")
            loop.call_soon(seen.append, f"ended {number}")
            if len(seen) > 2 * events:
                enough.set()

        with ExitStack() as stack:
            for number in range(files):
                near, far = (stack.enter_context(end) for end in socket.socketpair())
                far.sendall(b"never read")
                loop.add_reader(near, read, number)
                stack.callback(loop.remove_reader, near)
            await enough.wait()
        return seen

    async def main() -> tuple[list[str], list[str]]:
        restless = (await seen_in(200))[-4 * files :]
        rest = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, rest.set)
        await rest.wait()
        return restless, (await seen_in(8))[: 2 * files]

    restless, rested = run_calls(main())

    reads = [each.startswith("read") for each in restless]
    assert [False] + [True] * files + [False] in [
        reads[at : at + files + 2] for at in range(len(reads))
    ]
    assert [each.startswith("read") for each in rested] == [True, False] * files


def test_a_timer_does_not_come_early_and_a_thread_is_heard_while_nothing_else_happens() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        due, came = loop.time() + 0.0105, loop.create_future()
        loop.call_at(due, lambda: came.set_result(loop.time()))
        early_s = due - await came
        heard = loop.create_future()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(heard.set_result, None)).start()
        await heard
        return early_s

    # asyncio rounds timers by the resolution of its clock
    assert run_calls(main()) <= time.get_clock_info("monotonic").resolution


def test_a_signal_is_heard_while_a_task_never_rests() -> None:
    async def main() -> int:
        heard: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGUSR1, lambda: heard.set_result(signal.SIGUSR1)
        )
        os.kill(os.getpid(), signal.SIGUSR1)
        while not heard.done():
            await asyncio.sleep(0)
        return await heard

    assert run_calls(main()) == signal.SIGUSR1


def test_a_writer_that_waits_for_room_goes_on_when_there_is_some() -> None:
    much = b"x" * 4_000_000

    async def main() -> int:
        near, far = socket.socketpair()
        _, writer = await asyncio.open_connection(sock=near)
        reader, other = await asyncio.open_connection(sock=far)
        writer.write(much)
        _, got = await asyncio.gather(writer.drain(), reader.readexactly(len(much)))
        for each in (writer, other):
            each.close()
            await each.wait_closed()
        return len(got)

    assert run_calls(main()) == len(much)


def test_a_hang_up_ends_a_read() -> None:
    async def main() -> bytes:
        near, far = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=near)
        far.close()
        rest = await reader.read()
        writer.close()
        return rest

    assert run_calls(main()) == b""


def test_a_loop_that_ended_leaves_no_file_open() -> None:
    async def nothing() -> None:
        await asyncio.sleep(0)

    run_calls(nothing())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run_calls(nothing())

    assert len(os.listdir("/proc/self/fd")) == before


def test_what_main_raises_is_raised() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        run_calls(fail())
