"""What was measured of a judge, as it stands beside its rubric."""

import msgspec

from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.asset import Rubric
from evalkit.records.calibration import CALIBRATION_SCHEMA, Calibration

_DECODER = msgspec.json.Decoder(Calibration)


def beside(rubric: Rubric, ending: str) -> str:
    """The path of what belongs to a rubric version: `rubrics/<name>/v<N>.<ending>`."""
    return f"{rubric.path.removesuffix('.yaml').removesuffix('.yml')}.{ending}"


def calibration_path(rubric: Rubric) -> str:
    """Where the calibration of a rubric version is stored."""
    return beside(rubric, "calibration.json")


def read_calibration(tree: FileTree, rubric: Rubric) -> Calibration | None:
    """The stored calibration; None where there is none.

    Raises ConfigError for a file that is not one: nothing may be taken for calibrated by accident.
    """
    path = calibration_path(rubric)
    again = f"measure again with `evalkit judge calibrate {rubric.ref}`"
    try:
        found = _DECODER.decode(tree.read(path))
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(
            [Problem(file=path, message=f"is no calibration: {error}", suggestion=again)]
        ) from None
    if found.schema != CALIBRATION_SCHEMA:
        raise ConfigError(
            [
                Problem(
                    file=path,
                    key="schema",
                    value=found.schema,
                    message="is a calibration of another version of evalkit",
                    expected=CALIBRATION_SCHEMA,
                    suggestion=again,
                )
            ]
        )
    return found
