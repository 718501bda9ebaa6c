"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Let what the tests start be interrupted, however they were started themselves.

    A shell without job control has what it runs in the background ignore SIGINT, and who inherits
    that keeps to it: evalkit then rightly does not end, and tests of Ctrl-C would wait for it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
