"""Rego files before they are evaluated: the same input has to give the same decision.

Built-in functions that look outside (the network, the process and its environment) or give another
value each time are refused: a decision could not be repeated, and an environment holds keys.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from evalkit.errors import ConfigError, Problem

_OUTSIDE = re.compile(
    r"\b(?:(?:http|net|opa|rand)\s*[.\[]|"
    r"time\s*\.\s*now_ns\b|uuid\s*\.\s*rfc4122\b|trace\s*\()"
)
# comments, texts and raw texts: what a name inside of them says is no call
_WORDS = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|`[^`]*`')


def check_sources(sources: Mapping[str, str]) -> None:
    """Raise ConfigError for calls of built-in functions that look outside. `sources` by path."""
    problems = [each for path, text in sources.items() for each in _problems(path, text)]
    if problems:
        raise ConfigError(problems)


def _problems(path: str, text: str) -> Iterator[Problem]:
    bare = _WORDS.sub(lambda found: " " * len(found.group()), text)
    for found in _OUTSIDE.finditer(bare):
        line = bare.count("\n", 0, found.start()) + 1
        yield Problem(
            file=path,
            line=line,
            message="a policy may not look outside of its input, or give another answer each time",
            value=text[found.start() : found.end()].strip(" .[("),
            suggestion="pass what it needs in the input document, or ask an OPA server (`opa:`)",
        )


def module_name(path: str) -> str:
    """What messages call a file."""
    return PurePosixPath(path).name
