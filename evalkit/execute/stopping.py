"""How a run is asked to stop."""

from collections.abc import Callable


class StopSignal:
    """Asked once: no new attempt is started and those in flight end. Asked twice: they are
    cancelled. To be asked on the event loop's thread, as `loop.add_signal_handler` does."""

    def __init__(self) -> None:
        """Nobody has asked yet."""
        self._requests = 0
        self._cancel: Callable[[], None] | None = None

    @property
    def draining(self) -> bool:
        """Whether anybody asked."""
        return self._requests > 0

    @property
    def cancelled(self) -> bool:
        """Whether the attempts in flight are to be given up."""
        return self._requests > 1

    def request(self) -> None:
        """Ask; a signal handler."""
        self._requests += 1
        if self.cancelled and self._cancel is not None:
            self._cancel()

    def on_cancel(self, cancel: Callable[[], None] | None) -> None:
        """What to call when asked twice, which may have happened already."""
        self._cancel = cancel
        if cancel is not None and self.cancelled:
            cancel()
