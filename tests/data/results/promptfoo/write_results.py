"""Write the results of this folder by running promptfoo: `python write_results.py FOLDER COMMAND`.

COMMAND is promptfoo's. No model is needed: `provider.mjs` answers. Every file is as promptfoo wrote
it, except that paths of the machine are replaced (`without_paths`).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EQUALS = {"type": "equals", "value": "yes"}
Config = dict[str, Any]


def config(
    tests: list[Config], wrong: dict[str, list[int]], prompts: tuple[str, ...] = ("short",)
) -> Config:
    """An evaluation of every prompt with a provider for each entry of `wrong`."""
    texts = {"short": "{{number}}?", "long": "Is {{number}} a number?"}
    return {
        "prompts": [{"id": name, "label": name, "raw": texts[name]} for name in prompts],
        "providers": [
            {"id": "file://provider.mjs", "label": label, "config": {"wrong": numbers}}
            for label, numbers in wrong.items()
        ],
        "tests": tests,
    }


def test(number: int, *assertions: Config, **more: Any) -> Config:
    return {"vars": {"number": number}, "assert": list(assertions) or [EQUALS], **more}


def named(number: int) -> Config:
    """With an id, tags and a group in its metadata."""
    tags = ["even" if number % 2 == 0 else "odd"]
    metadata = {"id": f"n{number:02}", "tags": tags, "group": f"g{number // 2}"}
    return test(number, metadata=metadata)


def columns() -> Config:
    """Two providers; errors of a provider and of a grader, no output, every way to name a test."""
    tests = [named(number) for number in range(1, 20)]
    tests += [
        test(21, description="described"),
        test(22, description="shared"),
        test(23, description="shared"),
        test(24),
        test(25, EQUALS, {"type": "llm-rubric", "value": "kind", "provider": "file://grader.mjs"}),
        test(26, {"type": "javascript", "value": "throw new Error('broken')"}),
        test(27, EQUALS, {"type": "equals", "value": "no"}, threshold=0.5),
        test(28, {"type": "assert-set", "assert": [EQUALS, {"type": "contains", "value": "s"}]}),
    ]
    return config(tests, {"main": [1, 2], "branch": [1, 2, 3, 12, 13, 14]})


def prompts() -> Config:
    """Two prompts with one provider."""
    return config([named(number) for number in range(1, 4)], {"main": [1]}, ("short", "long"))


def repeats() -> Config:
    """Run twice with --repeat 2."""
    return config([named(1), test(2), test(3)], {"main": [1]})


def lost() -> Config:
    """A score that is NaN, which promptfoo leaves out of its file."""
    return config(
        [named(1), test(2, {"type": "javascript", "value": "NaN"}), named(3)], {"main": []}
    )


def unasserted() -> Config:
    """Tests in which nothing can fail."""
    tests = [named(1), {"vars": {"number": 2}}, test(3, {**EQUALS, "weight": 0})]
    return config(tests, {"main": []})


RESULTS = {
    "columns.json": (columns, ()),
    "columns.jsonl": (columns, ()),
    "prompts.jsonl": (prompts, ()),
    "repeats.jsonl": (repeats, ("--repeat", "2")),
    "lost.json": (lost, ()),
    "unasserted.jsonl": (unasserted, ()),
    "repeats.junit.xml": (repeats, ()),
}


def without_paths(text: str, folder: str, command: str) -> str:
    """Replace this machine's folders by short ones that say what they are."""
    modules = str(Path(command).resolve().parents[3])
    for path, name in ((os.path.realpath(folder), "/evals"), (folder, "/evals"), (modules, "/npm")):
        text = re.sub(re.escape(path) + r"(?![\w-])", name, text)
    return text


def main() -> None:
    out, command = Path(sys.argv[1]).resolve(), sys.argv[2]
    out.mkdir(parents=True, exist_ok=True)
    for name, (make, options) in RESULTS.items():
        with tempfile.TemporaryDirectory() as folder:
            for script in HERE.glob("*.mjs"):
                shutil.copy(script, folder)
            (Path(folder) / "promptfooconfig.json").write_text(json.dumps(make()))
            silent = {
                "PROMPTFOO_CONFIG_DIR": f"{folder}/home",
                "PROMPTFOO_DISABLE_TELEMETRY": "1",
                "PROMPTFOO_DISABLE_UPDATE": "1",
                "PROMPTFOO_DISABLE_SHARING": "1",
            }
            quiet = ["--no-cache", "--no-table", "--no-share", "--no-progress-bar"]
            subprocess.run(
                [command, "eval", "-c", "promptfooconfig.json", "-o", name, *options, *quiet],
                cwd=folder,
                env={**os.environ, **silent},
                check=False,  # it ends with 100 where a test failed
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            written = (Path(folder) / name).read_text(encoding="utf-8")
            (out / name).write_text(without_paths(written, folder, command), encoding="utf-8")


if __name__ == "__main__":
    main()
