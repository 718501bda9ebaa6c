"""Write the reports of this folder: `python write_reports.py FOLDER [--node NODE] [--jest FOLDER]`.

Needs pytest. NODE is node's command, the folder after --jest a node_modules with jest and
jest-junit; what is not named is not written. Every file is as the tool wrote it, except that paths
and the name of the machine are replaced.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def pytest_report(folder: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", "."]
    command += ["-p", "no:cacheprovider", "--junitxml=pytest.xml", "pytest_suite.py"]
    run(command, folder)


def node_report(folder: Path, node: str) -> None:
    command = [node, "--test", "--test-reporter=junit", "node_suite.mjs"]
    done = run(command, folder)
    (folder / "node.xml").write_bytes(done.stdout)


def jest_report(folder: Path, modules: Path) -> None:
    (folder / "package.json").write_text('{"name": "suite"}')
    command = [str(modules / ".bin/jest"), "jest_suite", "--rootDir", str(folder)]
    command += ["--reporters", str(modules / "jest-junit")]
    run(command, folder, JEST_JUNIT_OUTPUT_FILE=str(folder / "jest.xml"))


def run(command: list[str], folder: Path, **more: str) -> "subprocess.CompletedProcess[bytes]":
    """A failing test ends it with 1, so its code says nothing."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True)


def without_machine(text: str, folder: str, modules: Path | None) -> str:
    text = re.sub(r'hostname="[^"]*"', 'hostname="host"', text)
    paths = [(folder, "/suite"), (sys.prefix, "/venv"), (sys.base_prefix, "/python")]
    paths += [(str(modules), "/npm")] if modules else []
    for path, name in paths:
        text = re.sub(re.escape(path) + r"(?![\w-])", name, text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--node")
    parser.add_argument("--jest", type=Path)
    asked = parser.parse_args()
    out, modules = asked.folder.resolve(), asked.jest.resolve() if asked.jest else None
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for suite in HERE.glob("*_suite*"):
            shutil.copy(suite, folder)
        pytest_report(folder)
        if asked.node:
            node_report(folder, asked.node)
        if modules:
            jest_report(folder, modules)
        for report in folder.glob("*.xml"):
            text = report.read_text(encoding="utf-8")
            (out / report.name).write_text(
                without_machine(text, str(folder), modules), encoding="utf-8"
            )


if __name__ == "__main__":
    main()
