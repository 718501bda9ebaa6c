"""The CI gate for LLM systems: golden sets, production's own control core, verdicts that hold.

project = Project.load(".")               # raises ConfigError; .problems lists all of them
run = project.run(["ticket_routing"], baseline="main")
run.verdict, run.exit_code, run.frame()
compare(baseline_frame, candidate_frame, max_drop_pp=3)
async with project.session("support_triage", Identity(user="u1")) as session: ...
"""

from importlib import import_module
from typing import TYPE_CHECKING

from evalkit._version import __version__

if TYPE_CHECKING:
    from evalkit.errors import ConfigError, EvalkitError, Problem
    from evalkit.workflows.compare import compare
    from evalkit.workflows.project import Identity, Project, Run

__all__ = [
    "ConfigError",
    "EvalkitError",
    "Identity",
    "Problem",
    "Project",
    "Run",
    "__version__",
    "compare",
]

# imported when first asked for, so that `evalkit --help` does not pay for a run
_HOMES = {
    "ConfigError": "evalkit.errors",
    "EvalkitError": "evalkit.errors",
    "Problem": "evalkit.errors",
    "Identity": "evalkit.workflows.project",
    "Project": "evalkit.workflows.project",
    "Run": "evalkit.workflows.project",
    "compare": "evalkit.workflows.compare",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'evalkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
