"""How a run ended, as outputs of a step: python ending.py CODE, in the project's folder.

Everything printed is checked against a pattern, so that no text of a run becomes another output.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}")
OUTCOMES = {"pass", "fail", "inconclusive", "incomplete", "not_measured"}
KINDS = {
    "not_measured": "not_measured",
    "config": "not_run",
    "usage": "not_run",
    "refused": "not_run",
    "store": "broken",
    "bug": "broken",
    "interrupted": "interrupted",
}


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def outputs(code: int, private: Path) -> dict[str, str]:
    """exit-code, verdict, run-id and bundle, for the code that the command ended with.

    A command that ended with 0 and left no run (`--help`, say) has measured nothing: that is 2.
    """
    last = read(private / "last.json")
    run = last.get("run")
    if last.get("exit_code") != code or last.get("kind") not in {"run", *KINDS}:
        # it ended before it could say how, or what it said is not about this end
        code = code or 2
        return {"exit-code": str(code), "verdict": "not_run" if code == 2 else "broken"}
    known = {"exit-code": str(code), "verdict": KINDS.get(last["kind"], "broken")}
    if isinstance(run, str) and RUN_ID.fullmatch(run) and (private / "runs" / run).is_dir():
        known |= {"run-id": run, "bundle": str((private / "runs" / run).resolve())}
        if last["kind"] == "run":
            known["verdict"] = verdict(read(private / "runs" / run / "run.json"))
    return known


def verdict(record: dict[str, Any]) -> str:
    """What a bundle's record says; `not_gated` for a run that decides nothing, `shard` for a part
    of one that decides."""
    if record.get("state") == "interrupted":
        return "interrupted"
    if record.get("exit_code") == 4:
        return "incomplete"
    if isinstance(record.get("shard"), dict):
        return "shard"
    decided = record.get("verdict")
    if not isinstance(decided, dict):
        return "not_gated"
    return decided["outcome"] if decided.get("outcome") in OUTCOMES else "broken"


def main() -> None:
    """Print the outputs, one a line."""
    for name, value in outputs(int(sys.argv[1]), Path(".evalkit")).items():
        if "\n" not in value and "\r" not in value:
            print(f"{name}={value}")


if __name__ == "__main__":
    main()
