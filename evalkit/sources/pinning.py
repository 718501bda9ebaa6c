"""Pinning an asset by its digest: one line more at the end of its YAML file, the rest as it was."""

import os
from pathlib import Path

from evalkit.config.yaml_document import parse_yaml
from evalkit.errors import ConfigError, Problem


def pin_digest(target: Path, name: str, digest: str) -> None:
    """Write `digest:` into a YAML file; what stands in it stays byte for byte, comments too.

    `name` is what problems call the file. Raises ConfigError for one that cannot take the line.
    """
    before = target.read_bytes()
    newline = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if before.endswith(b"\n") else newline
    after = before + gap + f"digest: {digest}".encode() + newline
    wanted = {**parse_yaml(before, name).data, "digest": digest}
    try:
        fits = parse_yaml(after, name).data == wanted
    except ConfigError:
        fits = False
    if not fits:
        message = "a line at the end does not become a key of the file"
        suggestion = f"write it yourself: digest: {digest}"
        raise ConfigError([Problem(file=name, message=message, suggestion=suggestion)])
    try:
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        with open(beside, "xb") as file:  # never through a link that stands there
            file.write(after)
        beside.chmod(target.stat().st_mode)
        beside.replace(target)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise ConfigError([Problem(file=name, message=message)]) from error
