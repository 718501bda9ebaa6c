"""When Python's garbage collector looks, in a process of evalkit's own.

What is loaded and planned stays until the end, and to look through it finds nothing: with 15,000
objects in between that took 25 ms of the half second before a run's first call.
"""

import gc

# objects more than before the youngest are looked at; how often those are, before their elders
_LOADING = (200_000, 20, 20)
_SERVING = (15_000, 20, 20)


def look_hardly_ever() -> None:
    """While modules are loaded and a run is planned; also for verbs that read, tell and end."""
    gc.set_threshold(*_LOADING)


def looks_hardly_ever() -> bool:
    """Whether that is still so."""
    return gc.get_threshold() == _LOADING


def look_often_enough_to_serve() -> None:
    """For a process that stays: each look is short, and nothing waits long for its memory."""
    gc.set_threshold(*_SERVING)
