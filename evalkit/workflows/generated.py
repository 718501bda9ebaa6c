"""Documents that are made from the code, so that they cannot drift from it.

python -m evalkit.workflows.generated        # writes them under docs/ of the current folder
"""

import json
from collections.abc import Mapping
from pathlib import Path

from evalkit.config.reference import render_reference
from evalkit.report.schema import bundle_schemas


def generated_documents() -> Mapping[str, str]:
    """Path below docs/ and content of every generated document."""
    documents = {"configuration.md": render_reference()}
    for name, schema in bundle_schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        documents[f"schema/{name}.schema.json"] = text + "\n"
    return documents


def main() -> None:
    """Write them."""
    for name, text in generated_documents().items():
        path = Path("docs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
