"""The environment of evalkit's own process, and of programs that it starts.

pydantic looks for plugins when it builds its first class: it opens a file of every package that is
installed, 146 of them where evalkit is developed. None has anything to do with a configuration. So
the command asks for none, as pydantic offers by a variable, which programs of a project that are
started must not inherit.
"""

import os

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_ours: set[str] = set()


def ask_for_no_plugins() -> None:
    """In a process that is evalkit's alone, before pydantic is used; whoever set it knows why."""
    if _NO_PLUGINS not in os.environ:
        os.environ[_NO_PLUGINS] = "1"
        _ours.add(_NO_PLUGINS)


def environment_of_programs() -> dict[str, str]:
    """The environment as it was given to this process."""
    return {name: value for name, value in os.environ.items() if name not in _ours}
