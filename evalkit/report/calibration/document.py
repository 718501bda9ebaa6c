"""A calibration as JSON: what `--json` prints is what stands beside the rubric."""

import msgspec

from evalkit.records.calibration import Calibration


def calibration_json(calibration: Calibration) -> str:
    """The record as indented JSON with sorted keys (`evalkit.calibration/1`)."""
    encoded = msgspec.json.encode(calibration, order="sorted")
    return msgspec.json.format(encoded, indent=2).decode()
