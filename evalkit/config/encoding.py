"""Bytes of a file as text: UTF-8 only, with the place of what is not."""

import re

from evalkit.errors import ConfigError, Problem

_UTF8_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
# What YAML calls printable; a terminal or a diff would hide or act on anything else.
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def decode_text(raw: bytes, file: str, *, first_line: int = 1) -> str:
    """The text of `raw`, without a byte order mark.

    Raises ConfigError with the place of a byte that is not UTF-8.
    """
    if raw.startswith(_OTHER_BOMS):
        raise _failed(file, first_line, 1, "is UTF-16", "save it as UTF-8")
    raw = raw.removeprefix(_UTF8_BOM)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line, column = place_in(raw[: error.start].decode(errors="replace"), first_line)
        found = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise _failed(file, line, column, found, "save the file as UTF-8") from error
    return text


def refuse_controls(text: str, file: str) -> None:
    """Raise ConfigError for a character that an editor or a diff would hide or act on."""
    if control := _CONTROL.search(text):
        line, column = place_in(text[: control.start()])
        name = f"U+{ord(control.group()):04X}"
        raise _failed(file, line, column, f"the control character {name} is not text", "remove it")


def place_in(before: str, first_line: int = 1) -> tuple[int, int]:
    """Line and column, from 1, of the character that follows the text `before`."""
    start = before.rfind("\n") + 1
    return first_line + before.count("\n"), len(before) - start + 1


def _failed(file: str, line: int, column: int, message: str, suggestion: str) -> ConfigError:
    return ConfigError(
        [Problem(file=file, line=line, column=column, message=message, suggestion=suggestion)]
    )
