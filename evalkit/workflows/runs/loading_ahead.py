"""What a run needs when its calls are made, loaded while the first of them are in the air."""

from importlib import import_module
from threading import Thread

# they bring the rest: the gate, judges that decide, reports, the history
_LATER = (
    "evalkit.workflows.runs.escalating",
    "evalkit.workflows.runs.finishing",
    "evalkit.workflows.history.entry",
    "evalkit.workflows.auditing",
    "evalkit.workflows.judges.queueing",
    "evalkit.workflows.reading",
    "evalkit.report.terminal",
)


def load_ahead() -> None:
    """Begin to load it, in a thread: who needs a module of it waits for that one.

    While a provider is waited for, nothing else uses the interpreter, and 60 to 90 ms less are left
    after the last call. Before the first call they would only come earlier.
    """
    Thread(target=_load, name="evalkit-load-ahead").start()


def _load() -> None:
    for name in _LATER:
        import_module(name)
    from evalkit.report.html.page_files import content_policy

    content_policy()  # reads the page's styles and scripts, and keeps them
