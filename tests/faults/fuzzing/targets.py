"""Every fuzz target, by name."""

from collections.abc import Mapping

from tests.faults.fuzzing import file_targets, project_targets, reply_targets
from tests.faults.fuzzing.target import Target

TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (*project_targets.TARGETS, *file_targets.TARGETS, *reply_targets.TARGETS)
}
