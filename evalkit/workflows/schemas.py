"""JSON Schemas of every file that people and programs read, in one place."""

import json
from pathlib import Path
from typing import Any

from evalkit.config.schema import json_schemas
from evalkit.errors import UsageError
from evalkit.gateway.openapi.document import openapi_document
from evalkit.report.schema import run_schema
from evalkit.store.folder import private_folder


def all_schemas() -> dict[str, dict[str, Any]]:
    """Every schema by name: the project's files, and `run` for run.json."""
    return {**json_schemas(), "run": run_schema()}


def schemas_json(name: str | None) -> str:
    """One schema or `openapi`, the description of the gateway, or all of them in an object.

    Raises UsageError for an unknown name."""
    known = all_schemas()
    if name is None:
        return json.dumps(known, indent=2, ensure_ascii=False)
    known["openapi"] = openapi_document()
    if name not in known:
        raise UsageError(f"there is no schema {name!r}; there is {', '.join(known)}")
    return json.dumps(known[name], indent=2, ensure_ascii=False)


def write_schemas(root: Path) -> list[str]:
    """Write them to .evalkit/schema/ and return their paths, relative to the project."""
    folder = private_folder(root) / "schema"
    folder.mkdir(exist_ok=True)
    written = []
    for name, schema in all_schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path.relative_to(root).as_posix())
    return written
