"""The requests to GitHub's REST API that evalkit relies on, as JSON Schemas of our own.

Stricter than GitHub: an unknown key or parameter is refused. tests/peers/test_github_openapi.py
holds the same requests against GitHub's published description.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SHA = {"type": "string", "pattern": "^[0-9a-f]{40}$"}
TEXT = {"type": "string", "minLength": 1}
URL = {"type": "string", "pattern": "^https?://[^\\s<>]+$"}
BODY = {"type": "string", "minLength": 1, "maxLength": 65_535}


def exactly(required: Mapping[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


ANNOTATION = exactly(
    {
        "path": {"type": "string", "pattern": "^[^/]"},
        "start_line": {"type": "integer", "minimum": 1},
        "end_line": {"type": "integer", "minimum": 1},
        "annotation_level": {"enum": ["notice", "warning", "failure"]},
        "message": {"type": "string", "minLength": 1, "maxLength": 65_536},
    },
    title={"type": "string", "maxLength": 255},
    raw_details={"type": "string", "maxLength": 65_536},
)
OUTPUT = exactly(
    {"title": {"type": "string", "minLength": 1, "maxLength": 255}, "summary": BODY},
    annotations={"type": "array", "maxItems": 50, "items": ANNOTATION},
)
DONE = {
    "status": {"const": "completed"},
    "conclusion": {"enum": ["success", "failure", "neutral", "action_required", "cancelled"]},
    "output": OUTPUT,
}
COMMENT = exactly({"body": BODY})
CHECK = exactly(
    {"name": TEXT, "head_sha": SHA, "external_id": {**TEXT, "maxLength": 255}, **DONE},
    details_url=URL,
)
STATUS = exactly(
    {
        "state": {"enum": ["error", "failure", "pending", "success"]},
        "context": TEXT,
        "description": {"type": "string", "minLength": 1, "maxLength": 140},
    },
    target_url=URL,
)
PAGE = {"per_page": "100", "page": "*"}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One kind of request. `params` are its parameters, `*` for any value; all must be given."""

    name: str
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


_REPO = "/repos/(?P<owner>[\\w.-]+)/(?P<repo>[\\w.-]+)"
SHAPES = (
    Shape(name="user", method="GET", path="/user"),
    Shape(name="pull", method="GET", path=_REPO + "/pulls/(?P<number>\\d+)"),
    Shape(
        name="comments",
        method="GET",
        path=_REPO + "/issues/(?P<number>\\d+)/comments",
        params=PAGE,
    ),
    Shape(
        name="make comment",
        method="POST",
        path=_REPO + "/issues/(?P<number>\\d+)/comments",
        body=COMMENT,
        status=201,
    ),
    Shape(
        name="update comment",
        method="PATCH",
        path=_REPO + "/issues/comments/(?P<id>\\d+)",
        body=COMMENT,
    ),
    Shape(
        name="delete comment",
        method="DELETE",
        path=_REPO + "/issues/comments/(?P<id>\\d+)",
        status=204,
    ),
    Shape(
        name="checks",
        method="GET",
        path=_REPO + "/commits/(?P<sha>[0-9a-f]{40})/check-runs",
        params=PAGE | {"check_name": "*"},
    ),
    Shape(name="make check", method="POST", path=_REPO + "/check-runs", body=CHECK, status=201),
    Shape(
        name="update check",
        method="PATCH",
        path=_REPO + "/check-runs/(?P<id>\\d+)",
        body=exactly(DONE),
    ),
    Shape(
        name="statuses",
        method="GET",
        path=_REPO + "/commits/(?P<sha>[0-9a-f]{40})/statuses",
        params=PAGE,
    ),
    Shape(
        name="make status",
        method="POST",
        path=_REPO + "/statuses/(?P<sha>[0-9a-f]{40})",
        body=STATUS,
        status=201,
    ),
)


def shape_of(method: str, path: str) -> tuple[Shape, dict[str, str]] | None:
    """The shape of a request and what its path names; None for one that nobody should make."""
    for shape in SHAPES:
        found = re.fullmatch(shape.path, path)
        if found is not None and shape.method == method:
            return shape, found.groupdict()
    return None
