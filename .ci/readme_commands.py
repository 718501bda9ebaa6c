"""Run the commands of a README's ```console blocks as they stand there, one shell for each.

A command begins with "$ ". "# exit N" at its end announces its exit code; 0 otherwise. Stops at the
first command that ends differently, with code 1.
"""

import re
import subprocess
import sys
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXPECTED = re.compile(r"\s+# exit (\d+)\s*$")


def commands(text: str) -> list[tuple[str, int]]:
    """The commands in order, each with the exit code it should end with."""
    found = []
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                announced = EXPECTED.search(line)
                found.append((EXPECTED.sub("", line[2:]), int(announced[1]) if announced else 0))
    return found


def main() -> None:
    found = commands(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if not found:
        sys.exit(f"{sys.argv[1]}: no commands found in ```console blocks")
    for command, expected in found:
        print(f"$ {command}", flush=True)
        ended = subprocess.run(["bash", "-c", command], check=False).returncode
        if ended != expected:
            sys.exit(f"{command!r} ended with {ended}, the README says {expected}")


if __name__ == "__main__":
    main()
