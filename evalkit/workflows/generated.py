"""Documents that are made from the code, so that they cannot drift from it.

python -m evalkit.workflows.generated        # writes them under docs/ of the current folder
"""

import json
from collections.abc import Mapping
from pathlib import Path

from evalkit.config.reference import render_reference
from evalkit.records.attempt import FAILURE_MODES, WITHOUT_RESULT, FailureMode
from evalkit.report.schema import bundle_schemas

_FAILURE_MODES = """\
# Failure modes

Generated from the code by `make generated`; edit `evalkit/records/attempt.py` instead.

Every attempt that failed or has no result has exactly one of these codes: why there is no result;
else how it ended, if not as it had to; else a forbidden tool that was allowed; else what the first
gating scorer that failed it looks at. `run.json` counts attempts by it (`totals[].failure_modes`),
and so do the reports, baseline to candidate. An attempt without a result is neither a pass nor a
failure: it stays in the sample, and the gate counts it for and against the candidate.

| code | what happened | counts as |
|---|---|---|"""


def generated_documents() -> Mapping[str, str]:
    """Path below docs/ and content of every generated document."""
    documents = {
        "configuration.md": render_reference(),
        "failure-modes.md": render_failure_modes(),
    }
    for name, schema in bundle_schemas().items():
        text = json.dumps(schema, indent=2, ensure_ascii=False)
        documents[f"schema/{name}.schema.json"] = text + "\n"
    return documents


def render_failure_modes() -> str:
    """The published list of failure modes as Markdown."""
    rows = [f"| `{mode}` | {words} | {_result(mode)} |" for mode, words in FAILURE_MODES.items()]
    return "\n".join([_FAILURE_MODES, *rows, ""])


def _result(mode: FailureMode) -> str:
    return "no result" if mode in WITHOUT_RESULT else "failed"


def main() -> None:
    """Write them."""
    for name, text in generated_documents().items():
        path = Path("docs") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
