"""Routes that nothing takes: neither a suite nor the judge of a rubric."""

from typing import Any

import yaml

from evalkit.errors import Problem

TWO_ROUTES = "routes:\n- name: spare\n  models: {primary: small, fallback: big}\n"
RUBRIC: dict[str, Any] = {
    "name": "tone",
    "version": 1,
    "scale": {"kind": "binary", "pass": "It is kind.", "fail": "It is not."},
    "criteria": ["No blame."],
}


def warnings(sample: Any) -> list[Problem]:
    """What is told of idle routes."""
    return [
        each for each in sample.load().warnings if "no suite exercises the route" in each.message
    ]


def judge(sample: Any, version: int = 1, **judge: Any) -> None:
    """Write a version of a rubric whose judge is this."""
    rubric = RUBRIC | {"version": version, "judge": {"prompt": "{{ output }}", **judge}}
    sample.write(f"rubrics/tone/v{version}.yaml", yaml.safe_dump(rubric))


def test_a_route_that_nothing_takes_is_a_warning_at_its_name(sample: Any) -> None:
    assert warnings(sample) == []
    sample.change("evalkit.yaml", "routes:\n", TWO_ROUTES)
    (warning,) = warnings(sample)
    assert (warning.severity, warning.file, warning.line, warning.key) == (
        "warning", "evalkit.yaml", 7, "routes.spare.name",
    )  # fmt: skip


def test_a_route_that_a_judge_takes_is_not_idle(sample: Any) -> None:
    sample.change("evalkit.yaml", "routes:\n", TWO_ROUTES)
    judge(sample, route="desk")
    assert len(warnings(sample)) == 1
    judge(sample, route="spare")
    assert warnings(sample) == []


def test_a_member_of_a_panel_and_an_older_version_take_their_routes_too(sample: Any) -> None:
    sample.change("evalkit.yaml", "routes:\n", TWO_ROUTES)
    judge(sample, panel=["desk", "spare"])
    judge(sample, version=2, route="desk")
    assert warnings(sample) == []


def test_nothing_is_said_of_routes_where_only_some_suites_are_looked_at(sample: Any) -> None:
    sample.change("evalkit.yaml", "routes:\n", TWO_ROUTES)
    found = sample.load(suites=["desk"]).warnings
    assert not any("no suite exercises" in each.message for each in found)
