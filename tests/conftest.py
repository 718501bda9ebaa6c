"""What holds for every test."""

import signal

from hypothesis import HealthCheck, settings

# how long an example takes is the machine's matter, and no test's
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Let what the tests start be interrupted, however they were started themselves.

    A shell without job control has what it runs in the background ignore SIGINT, and who inherits
    that keeps to it: evalkit then rightly does not end, and tests of Ctrl-C would wait for it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
