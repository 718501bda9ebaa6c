"""Valid input made hostile: a few steps, each of three numbers, so that any list of them is one.

A step changes the value at some place where the input is JSON, JSON Lines or YAML, or bytes of it
whatever it is. The same steps make the same bytes, and fewer steps a smaller change.
"""

import json
from collections.abc import Sequence
from typing import Any

import yaml

Step = tuple[int, int, int]

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    5e-324,
    10**30,
    10**400,
    float("nan"),
    float("-inf"),
    "",
    " ",
    "\x00",
    "a\x1b[2J\u202e\x9b",
    "\ud800",
    "../../x",
    "/etc/passwd",
    "x" * 70_000,
    "9999-12-31",
    "{{ input.__class__.__mro__ }}",
    "{% for a in range(99999999) %}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "(a+)+$",
    "(?=a)",
    "a{1000}{1000}",
    "[",
    "name@v99999999999999999999",
    "@",
    [],
    {},
    [[]],
    {"": 0},
    {"$ref": "#"},
    {"$ref": "https://example.org/x.json"},
    {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
    {"multipleOf": 5e-324, "minimum": 10**400},
    [{"a": 1}] * 300,
)
PIECES: tuple[bytes, ...] = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\n---\n",
    b"\n...\n",
    b"\t",
    b"\xc2\x85",
    b"\xe2\x80\xa8",
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"!!python/object/apply:os.system ['true'] ",
    b"!!binary ",
    b"!!set {a}",
    b"? ",
    b"- ",
    b": ",
    b"|2\n",
    b">-\n",
    b"%YAML 1.1\n---\n",
    b"%TAG ! tag:x:\n---\n",
    b'"\\ud800"',
    b'"\\u0000"',
    b"NaN",
    b"-Infinity",
    b"1e999",
    b"9" * 5000,
    b"0x" + b"f" * 5000,
    b"-0",
    b"[" * 2000,
    b'{"a":' * 2000,
    b"{a: " * 2000,
    b"- " * 2000,
    b"(" * 3000,
    b"{{" * 2000,
    b"{% if 1 %}" * 500,
    b"<a>" * 500,
    b"a" * 100_000,
    b'"',
    b"'",
    b",",
    b"}",
    b"]",
    b"\\",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"data: [DONE]\n\n",
    b"event: error\ndata: {}\n\n",
    b'data: {"error": "x"}\n\n',
)
_WAYS = 9
_MOST_BYTES = 2_000_000


def mutate(seed: bytes, steps: Sequence[Step]) -> bytes:
    """The seed after every step."""
    raw = seed
    for way, place, what in steps:
        if way % 3 == 0:
            raw = _changed_value(raw, place, what)
        else:
            raw = _changed_bytes(raw, way % _WAYS, place, what)
        raw = raw[:_MOST_BYTES]
    return raw


def steps_in(data: bytes) -> list[Step]:
    """The steps that bytes stand for, six bytes each: what a fuzzer guided by coverage varies."""
    return [
        (
            data[at] % _WAYS,
            int.from_bytes(data[at + 1 : at + 4], "big"),
            int.from_bytes(data[at + 4 : at + 6], "big"),
        )
        for at in range(0, len(data) - 5, 6)
    ][:8]


def _changed_value(raw: bytes, place: int, what: int) -> bytes:
    """Another value at the place that the number leads to, one more key, or one key less."""
    documents, style = _parsed(raw)
    if not documents:
        return _changed_bytes(raw, 1, place, what)
    index, place = place % len(documents), place // len(documents)
    value = VALUES[what % len(VALUES)]
    turn = what // len(VALUES)
    holder: dict[str, Any] = {"root": documents[index]}
    _spoil(holder, place * 7 + 1, value, turn)
    documents[index] = holder.get("root")
    if style == "yaml":
        return yaml.dump(documents[0], allow_unicode=True, sort_keys=False).encode(
            "utf-8", "surrogatepass"
        )
    return b"\n".join(_json(each) for each in documents) + b"\n"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def _parsed(raw: bytes) -> tuple[list[Any], str]:
    """The documents in it, and how they are written; none where it is neither JSON nor YAML."""
    if len(raw) > 200_000:
        return [], ""
    try:
        text = raw.decode()
        try:
            return [json.loads(text)], "json"
        except ValueError:
            return [json.loads(line) for line in text.splitlines() if line.strip()], "json"
    except (ValueError, RecursionError):
        pass
    try:
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError):
        return [], ""
    return ([found], "yaml") if isinstance(found, dict | list) else ([], "")


def _spoil(data: Any, place: int, value: Any, turn: int) -> None:
    """Walk as the number says, then put the value, a copy of what is there, or nothing."""
    while True:
        keys = list(data) if isinstance(data, dict) else list(range(len(data)))
        key = keys[place % len(keys)]
        place //= len(keys)
        inside = data[key]
        if place and isinstance(inside, dict | list) and inside:
            data = inside
            continue
        if turn % 5 == 1 and "root" not in data:
            del data[key]
        elif turn % 5 == 2 and isinstance(data, list):
            data += [inside] * 3
        elif turn % 5 == 3 and isinstance(data, dict):
            data[f"{key}x"] = inside
        elif turn % 5 == 4:
            data[key] = [inside]
        else:
            data[key] = value
        return


def _changed_bytes(raw: bytes, way: int, place: int, what: int) -> bytes:
    at = place % (len(raw) + 1)
    piece = PIECES[what % len(PIECES)]
    length = 1 + what // len(PIECES) % 40
    match way:
        case 1 | 4:  # something in between, or in place of a few bytes
            return raw[:at] + piece + raw[at + (length if way == 4 else 0) :]
        case 2:  # a flipped bit
            return (
                raw[:at]
                + bytes(each ^ (1 << what % 8) for each in raw[at : at + 1])
                + raw[at + 1 :]
            )
        case 5:  # cut off
            return raw[:at] if what % 2 else raw[at:]
        case 7:  # a stretch many times over
            return raw[:at] + raw[at : at + length] * (1 + what % 3000) + raw[at:]
        case _:  # line ends of Windows
            return raw.replace(b"\n", b"\r\n") if what % 2 else raw + raw
