"""What a fuzz target is: bytes in, and back comes nothing but an error of the project's own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalkit.errors import ConfigError, EvalkitError

# A message quotes what is wrong; it never repeats the file.
LONGEST_MESSAGE = 60_000


@dataclass(frozen=True)
class Target:
    """One kind of input.

    `seeds` makes inputs to start from: valid ones. `read` hands bytes to what reads them in
    earnest; it returns where they are in order, and raises an EvalkitError where they are not.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], None]


class Finding(AssertionError):
    """An input that is neither read nor refused as the contract says."""


def hold(target: Target, raw: bytes) -> bool:
    """Read it, and hold what comes back to the contract. Tells whether it was in order.

    Raises Finding for any exception that is not the project's own (of bugs the project has one,
    with exit code 70), for an error without words, and for one that repeats what it read.
    """
    try:
        target.read(raw)
    except EvalkitError as error:
        words = str(error)
        if error.exit_code == 70 or not words.strip() or len(words) > LONGEST_MESSAGE:
            raise Finding(f"{target.name}: {type(error).__name__}: {words[:300]!r}") from error
        if isinstance(error, ConfigError) and not error.problems:
            raise Finding(f"{target.name}: an error that names no problem") from error
        return False
    except (MemoryError, SystemExit) as error:
        raise Finding(f"{target.name}: {type(error).__name__}") from error
    except Exception as error:
        raise Finding(f"{target.name}: {type(error).__name__}: {str(error)[:300]}") from error
    return True
