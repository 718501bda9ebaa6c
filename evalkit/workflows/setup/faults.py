"""`--fault PROVIDER=FAULT`: which providers a drill breaks on purpose, and how."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import get_args

from evalkit.config.model import Config
from evalkit.config.problems import listed, suggest
from evalkit.control.providers.faulty import FAULT_WORDS, FAULTS, Fault
from evalkit.errors import Refused, UsageError

# the provider of each tested route's first model, whatever it is called
PRIMARY = "primary"


def parse_faults(texts: Iterable[str]) -> dict[str, Fault]:
    """`NAME=down|slow|429` by name. Raises UsageError for what is no fault, or given twice."""
    faults: dict[str, Fault] = {}
    for text in texts:
        name, equals, kind = text.partition("=")
        fault = next((each for each in get_args(Fault) if each == kind), None)
        if not equals or not name or fault is None:
            raise UsageError(
                f"--fault takes PROVIDER=FAULT or {PRIMARY}=FAULT, where FAULT is "
                f"{', '.join(FAULTS)}; not {text!r}"
            )
        if name in faults:
            raise UsageError(f"--fault breaks {name} twice; give it one fault")
        faults[name] = fault
    return faults


def check_faults(
    faults: Mapping[str, Fault], broken: Mapping[str, Collection[str]], config: Config
) -> None:
    """`broken` are the providers that each fault came to stand for.

    Raises UsageError for a provider that the project does not have, Refused for one that nobody
    asks: a drill that breaks nothing would pass for one that was withstood.
    """
    for name in faults:
        if broken.get(name):
            continue
        if name != PRIMARY and name not in config.providers:
            hint = suggest(name, config.providers)
            raise UsageError(
                f"--fault {name}: there is no such provider; it is {PRIMARY} or one of "
                f"{listed(config.providers)}" + (f"; {hint}" if hint else "")
            )
        raise Refused(
            f"--fault {name}={faults[name]} breaks nothing: no route of these suites asks a model "
            "through it"
        )


def drill_words(
    faults: Mapping[str, Fault], broken: Mapping[str, Collection[str]]
) -> Sequence[str]:
    """What a drill broke, a sentence each."""
    return [
        f"a drill (--fault {name}={fault}): every call through provider "
        f"{', '.join(sorted(broken.get(name, ())))} ends with {FAULT_WORDS[fault]}; nothing of "
        "this run is a measurement of what ships"
        for name, fault in faults.items()
    ]
