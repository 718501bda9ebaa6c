"""Projects whose judge was measured, and suites that it scores."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import yaml

from evalkit.workflows.judges.calibrating import CalibrationRequest, calibrate_judge
from evalkit.workflows.wiring import Wiring
from tests.unit.workflows.judges.judged_project import JudgedProject, StoppedClock


def calibrate(project: JudgedProject) -> None:
    """Measure the project's judge and store what was measured."""
    wiring = Wiring(project.root, clock=StoppedClock(), environ={})
    request = CalibrationRequest(rubric="tone@v1")
    calibrate_judge(request, wiring=wiring, on_answer=lambda done, of: None)


def with_suite(
    project: JudgedProject,
    judge: Any = "tone@v1",
    suite: Mapping[str, Any] = MappingProxyType({}),
    **entry: Any,
) -> JudgedProject:
    """The project with a suite that the judge scores; `entry` stands beside the judge."""
    project.config = {
        "routes": [
            {"name": "judge", "models": {"primary": "tiny"}, "max_tokens": 50},
            {"name": "desk", "models": {"primary": "tiny"}},
        ],
        "suites": {
            "mail": {
                "golden": "mail@v1",
                "route": "desk",
                "target": {"prompt": "mail@v1"},
                "scorers": [{"judge": judge, **entry}, {"regex": {"pattern": "."}}],
                **suite,
            }
        },
    }
    files = {
        "goldensets/mail/v1/set.yaml": yaml.safe_dump({"name": "mail", "version": 1}),
        "goldensets/mail/v1/cases.jsonl": '{"id": "m1", "input": {"text": "Where is it?"}}\n',
        "prompts/mail/v1.yaml": yaml.safe_dump(
            {
                "name": "mail",
                "version": 1,
                "messages": [{"role": "user", "content": "{{ input.text }}"}],
            }
        ),
        "mail.jsonl": "",
    }
    for path, text in files.items():
        full = project.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_text(text)
    return project.write()
