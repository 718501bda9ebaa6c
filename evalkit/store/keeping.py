"""Making files survive a power cut, which takes a disk up to 40 ms each, beside their writer."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType


class Keeping:
    """A thread that keeps files, in the order in which they are given, while more are made."""

    def __init__(self) -> None:
        """Nothing is to be kept yet."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evalkit-keeping")
        self._begun: list[Future[None]] = []

    def begin(self, keep: Callable[[], None]) -> None:
        """Have the thread call it."""
        self._begun.append(self._pool.submit(keep))

    def wait(self) -> None:
        """Return when all that was begun is kept. Raises what the first one raised that failed."""
        begun, self._begun = self._begun, []
        for each in begun:
            each.result()

    def __enter__(self) -> "Keeping":
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait for the thread; what is being raised already is not replaced."""
        self._pool.shutdown()
        if error is None:
            self.wait()
