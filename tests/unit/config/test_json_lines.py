"""JSON Lines files that have to be read as records."""

import msgspec

from evalkit.config.json_lines import decode_lines
from evalkit.errors import Problem


class Reading(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a line has to be."""

    value: int


def read(raw: bytes) -> tuple[list[tuple[int, int]], list[Problem]]:
    problems: list[Problem] = []
    lines = decode_lines(raw, Reading, noun="reading", file="r.jsonl", problems=problems)
    return [(number, record.value) for number, record in lines], problems


def test_records_come_with_their_line_numbers() -> None:
    assert read(b'{"value":1}\n\n{"value":2}') == ([(1, 1), (3, 2)], [])


def test_a_byte_order_mark_and_crlf_are_fine() -> None:
    assert read(b'\xef\xbb\xbf{"value":1}\r\n\r\n{"value":2}\r\n') == ([(1, 1), (3, 2)], [])


def test_every_broken_line_is_a_problem_and_the_others_are_read() -> None:
    records, problems = read(b'{"value":1}\n{"value":"x"}\n{\n\xff\n{"valeu":1}\n{"value":2}\n')
    assert records == [(1, 1), (6, 2)]
    assert [problem.place for problem in problems] == [f"r.jsonl:{line}" for line in (2, 3, 4, 5)]
    assert all(problem.message.startswith("is no reading: ") for problem in problems)
