"""Golden sets: every line is checked, in bounded memory, and a frozen set stays what it was."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import GoldenSet
from evalkit.records.case import Case
from evalkit.sources.case_lines import MAX_LINE_BYTES
from evalkit.sources.golden import freeze, load_golden_set, read_golden_set
from evalkit.sources.reading import Reader
from evalkit.sources.references import Version
from evalkit.sources.tree import WorkingTree
from tests.unit.sources.conftest import content_digest

FOLDER = "goldensets/desk/v1"
JSONL = f"{FOLDER}/cases.jsonl"


def _load(root: Path, **options: Any) -> tuple[GoldenSet | None, list[Problem]]:
    reader = Reader(WorkingTree(root))
    golden = load_golden_set(reader, Version("desk", 1, FOLDER), **options)
    return golden, reader.problems


def _lines(golden: GoldenSet) -> dict[str, int | None]:
    return {case.id: golden.cases.line_of(case.id) for case in golden.cases}


def _refused(root: Path) -> list[Problem]:
    golden, problems = _load(root)
    assert golden is None
    return problems


def _only(root: Path) -> tuple[int | None, int | None, str]:
    (problem,) = _refused(root)
    assert problem.file == JSONL
    return problem.line, problem.column, problem.message


class TestCases:
    def test_a_set_has_its_cases_their_lines_and_a_digest(self, sample: Any) -> None:
        golden = sample.load().suites["desk"].golden
        assert [case.id for case in golden.cases] == ["d-1", "d-2", "d-3"]
        assert _lines(golden) == {"d-1": 1, "d-2": 2, "d-3": 3}
        assert golden.cases[2].tags == ("urgent",)
        assert (golden.count, golden.groups, golden.frozen) == (3, 3, False)
        assert golden.digest == content_digest(golden.cases)
        assert golden.path == JSONL

    def test_cases_of_one_group_count_once(self, sample: Any) -> None:
        sample.write_cases([{"id": f"c{n}", "input": {"x": n}, "group": "g"} for n in range(5)])
        golden, _ = _load(sample.root)
        assert golden is not None
        assert (golden.count, golden.groups) == (5, 1)

    def test_a_bom_crlf_blank_lines_and_no_last_line_break_change_nothing(
        self, sample: Any
    ) -> None:
        before, _ = _load(sample.root)
        lines = (sample.root / JSONL).read_bytes().splitlines()
        sample.write(JSONL, b"\xef\xbb\xbf" + b"\r\n\r\n".join(lines))
        after, problems = _load(sample.root)
        assert before is not None and after is not None and problems == []
        assert after.cases == before.cases
        assert after.digest == before.digest
        assert _lines(after) == {"d-1": 1, "d-2": 3, "d-3": 5}

    def test_yaml_cases_are_the_same_cases(self, sample: Any) -> None:
        before, _ = _load(sample.root)
        (sample.root / JSONL).unlink()
        sample.write(
            f"{FOLDER}/cases.yaml",
            "- {id: d-1, input: {letter: My umbrella!}, expected: {queue: lost}}\n"
            "- {id: d-2, input: {letter: Found a hat.}, expected: {queue: found}}\n"
            "- id: d-3\n"
            "  input: {letter: Where is my dog?}\n"
            "  expected: {queue: lost, tool_calls: [{name: call_finder, arguments: {}}]}\n"
            "  tags: [urgent]\n"
            "  group: animals\n",
        )
        after, problems = _load(sample.root)
        assert before is not None and after is not None and problems == []
        assert after.digest == before.digest
        assert _lines(after) == {"d-1": 1, "d-2": 2, "d-3": 3}

    def test_problems_of_yaml_cases_have_places_too(self, sample: Any) -> None:
        (sample.root / JSONL).unlink()
        sample.write(f"{FOLDER}/cases.yaml", "- {id: a, input: {x: 1}}\n- {id: a, imput: {}}\n")
        assert [(p.line, p.column, p.key) for p in _refused(sample.root)] == [
            (2, 3, "input"),
            (2, 11, "imput"),
        ]
        sample.write(f"{FOLDER}/cases.yaml", "- {id: a, input: {x: 1}}\n- {id: a, input: {x: 2}}\n")
        (problem,) = _refused(sample.root)
        assert (problem.line, problem.column) == (2, 8)
        sample.write(f"{FOLDER}/cases.yaml", "cases: []\n")
        assert _refused(sample.root)[0].message == "holds no list"


class TestProblems:
    @pytest.mark.parametrize(
        ("line", "column", "words"),
        [
            ('{"id": "x", "input": {"a": NaN}}', 28, "compared"),
            ('{"id": "x", "input": {"a": -Infinity}}', 28, "compared"),
            ('{"id": "x", "input": {"a": 1e999}}', 28, "too large"),
            ('{"id": "x", "input": {"a": 1, "a": 2}}', 31, "twice"),
            ('{"id": "x", "id": "y", "input": {"a": 1}}', 13, "twice"),
            ('{"id": "x", "input": {"a": "\\ud800"}}', 28, "surrogate"),
            ('{"id": "x", "input": {"a": 1}', 30, "not JSON"),
            ('{"id": "x", "input": {"a": 1}} {}', 32, "end of the JSON value"),
            ('{"id": "x", "input": {"a": 1}, "expectd": {}}', 32, "unknown key"),
            ('{"id": "x", "input": {}}', 22, "wrong value"),
            ('{"id": "x"}', 1, "is missing"),
            ('{"id": 7, "input": {"a": 1}}', 8, "wrong value"),
            ('{"id": "", "input": {"a": 1}}', 8, "wrong value"),
            ('{"id": " x", "input": {"a": 1}}', 1, "spaces around it"),
            ('{"id": "x", "input": {"a": 1}, "tags": "t"}', 40, "wrong value"),
            ('{"id": "x", "input": {"a": 1}, "tags": ["t", "t"]}', 1, "tags has 't' twice"),
            ('{"id": "x", "input": {"a": 1}, "expected": {"blocked": "yes"}}', 56, "wrong value"),
            ('{"id": "x", "input": {"a": 1}, "expected": {"tool_calls": [{}]}}', 60, "is missing"),
            ('{"id": "x", "input": {"a": 1}, "added": "24.11.2026"}', 41, "wrong value"),
            ('{"id": "x", "input": {"a": 1}, "identity": {"usr": "u"}}', 45, "unknown key"),
            ('{"id": "x", "input": {"a": 1}, "approvals": {"t": {"team": "a"}}}', 46, "is missing"),
            ('{"id": "x", "input": {"a": 1}, "tools": {"t": [{"when": {}}]}}', 48, "either"),
            ("[1, 2]", 1, "wrong value"),
            ('"text"', 1, "wrong value"),
            ("id: x", 1, "not JSON"),
        ],
    )
    def test_a_broken_line_is_said_with_line_and_column(
        self, sample: Any, line: str, column: int, words: str
    ) -> None:
        sample.write(JSONL, f'{{"id": "ok", "input": {{"a": 1}}}}\n{line}\n')
        found_line, found_column, message = _only(sample.root)
        assert (found_line, found_column) == (2, column)
        assert words in message

    def test_a_typo_in_a_key_suggests_the_key(self, sample: Any) -> None:
        sample.write(JSONL, '{"id": "x", "input": {"a": 1}, "expectd": {}}\n')
        assert _refused(sample.root)[0].suggestion == "did you mean 'expected'?"

    def test_bytes_that_are_not_utf_8_have_line_and_column(self, sample: Any) -> None:
        sample.write(
            JSONL, b'{"id": "x", "input": {"a": 1}}\n{"id": "y", "input": {"a": "M\xfc"}}\n'
        )
        assert _only(sample.root) == (2, 30, "byte 0xfc is not UTF-8")

    def test_duplicate_ids_name_both_lines(self, sample: Any) -> None:
        sample.write(JSONL, '{"id": "x", "input": {"a": 1}}\n\n{"id": "x", "input": {"a": 2}}\n')
        assert _only(sample.root) == (3, 8, "a case of this id stands in line 1 already")

    @pytest.mark.parametrize("content", ["", "\n \n\r\n", "\ufeff"])
    def test_a_file_without_a_case_is_refused(self, sample: Any, content: str) -> None:
        sample.write(JSONL, content)
        assert _only(sample.root) == (1, None, "holds no case")

    def test_a_pointer_of_git_lfs_says_how_to_get_the_file(self, sample: Any) -> None:
        sample.write(JSONL, "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
        (problem,) = _refused(sample.root)
        assert problem.suggestion == "fetch it: git lfs pull"

    @pytest.mark.parametrize("depth", [100, 50_000])
    def test_nesting_without_end_is_refused(self, sample: Any, depth: int) -> None:
        nested = "[" * depth + "]" * depth
        sample.write(JSONL, f'{{"id": "x", "input": {{"a": {nested}}}}}\n')
        assert "levels deep" in _only(sample.root)[2]

    def test_many_brackets_side_by_side_are_not_deep(self, sample: Any) -> None:
        sample.write(JSONL, json.dumps({"id": "x", "input": {"a": [[]] * 500}}))
        golden, problems = _load(sample.root)
        assert golden is not None and problems == []

    def test_cases_in_both_formats_or_in_none_are_refused(self, sample: Any) -> None:
        sample.write(f"{FOLDER}/cases.yaml", "- {id: a, input: {x: 1}}")
        assert "keep one" in _refused(sample.root)[0].message
        for name in ("cases.yaml", "cases.jsonl"):
            (sample.root / FOLDER / name).unlink()
        assert _refused(sample.root)[0].expected == "cases.jsonl or cases.yaml"

    def test_a_missing_or_broken_set_file_is_reported_with_the_cases(self, sample: Any) -> None:
        sample.write(JSONL, '{"id": "x"}\n')
        sample.write(f"{FOLDER}/set.yaml", "name: desk\nversion: two\n")
        assert [p.file for p in _refused(sample.root)] == [f"{FOLDER}/set.yaml", JSONL]
        (sample.root / FOLDER / "set.yaml").unlink()
        assert [p.file for p in _refused(sample.root)] == [f"{FOLDER}/set.yaml", JSONL]

    def test_a_set_that_says_it_is_another_is_refused(self, sample: Any) -> None:
        sample.write(f"{FOLDER}/set.yaml", "name: dask\nversion: 2\n")
        assert [p.key for p in _refused(sample.root)] == ["name", "version"]

    def test_problems_of_a_file_are_cut_at_fifty_and_counted(self, sample: Any) -> None:
        sample.write(JSONL, '{"id": 1}\n' * 100)
        problems = sample.problems()
        assert len(problems) == 51
        assert problems[-1].message == "and at least 75 more"


class _Endless:
    """A tree with one file that is made up while it is read, and counts what was asked for."""

    label = "made up"

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.lines = lines

    def read(self, path: str) -> bytes:
        if path.endswith("set.yaml"):
            return b"name: desk\nversion: 1\n"
        raise AssertionError("a cases file is never read whole")

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        yield io.BufferedReader(_Lines(self.lines))

    def exists(self, path: str) -> bool:
        return path.endswith(("cases.jsonl", "set.yaml"))

    def list(self, folder: str) -> list[str]:
        return []


class _Lines(io.RawIOBase):
    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._lines, b"")
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _peak_of(tree: _Endless, **options: Any) -> tuple[int, GoldenSet | None, Reader]:
    reader = Reader(tree)
    tracemalloc.start()
    try:
        golden = load_golden_set(reader, Version("desk", 1, FOLDER), **options)
        return tracemalloc.get_traced_memory()[1], golden, reader
    finally:
        tracemalloc.stop()


class TestMemory:
    def test_a_large_file_is_checked_in_memory_that_does_not_hold_it(self) -> None:
        text = "x" * 20_000
        lines = (
            json.dumps({"id": str(n), "input": {"t": text}}).encode() + b"\n" for n in range(1000)
        )
        peak, golden, reader = _peak_of(_Endless(lines), keep_cases=False)
        assert reader.problems == []
        assert golden is not None
        assert (golden.count, golden.groups, golden.cases) == (1000, 1000, ())
        assert peak < 1_000_000  # of 20 MB

    def test_the_digest_does_not_depend_on_whether_cases_are_kept(self, sample: Any) -> None:
        kept, _ = _load(sample.root)
        dropped, _ = _load(sample.root, keep_cases=False)
        assert kept is not None and dropped is not None
        assert dropped.digest == kept.digest

    def test_a_large_file_of_broken_lines_is_no_large_list_of_problems(self) -> None:
        lines = (b'{"id": 1, "input": "' + b"x" * 20_000 + b'"}\n' for _ in range(400))
        peak, golden, reader = _peak_of(_Endless(lines))
        assert golden is None
        assert len(reader.problems) == 50
        assert reader.unsaid == {JSONL: 375}
        assert peak < 1_000_000  # of 8 MB

    def test_a_line_without_end_is_refused_without_holding_it(self) -> None:
        chunk = b"x" * 100_000
        first = (chunk for _ in range(MAX_LINE_BYTES * 4 // len(chunk)))
        lines = (part for group in (first, (b'\n{"id": 1}\n',)) for part in group)
        peak, _, reader = _peak_of(_Endless(lines))
        assert [p.line for p in reader.problems] == [1, 2, 2]
        assert reader.problems[0].message == "the line is longer than 8 MB"
        assert peak < MAX_LINE_BYTES * 3


class TestFreezing:
    SET = b"# who we are\r\nname:  desk # here\r\nversion: 1\r\ndescription: >-\r\n  two\r\n  lines"

    def test_freezing_adds_one_line_and_keeps_every_other_byte(self, sample: Any) -> None:
        path = sample.write(f"{FOLDER}/set.yaml", self.SET)
        path.chmod(0o640)
        digest = freeze(sample.root, "desk@v1")
        assert path.read_bytes() == self.SET + f"\r\ndigest: {digest}\r\n".encode()
        assert path.stat().st_mode & 0o777 == 0o640
        golden = sample.load().suites["desk"].golden
        assert golden.frozen
        assert golden.digest == digest
        assert {entry.name for entry in path.parent.iterdir()} == {"cases.jsonl", "set.yaml"}

    def test_freezing_twice_writes_once(self, sample: Any) -> None:
        digest = freeze(sample.root, "desk@latest")
        before = (sample.root / FOLDER / "set.yaml").read_bytes()
        assert freeze(sample.root, "desk@v1") == digest
        assert (sample.root / FOLDER / "set.yaml").read_bytes() == before

    @pytest.mark.parametrize(
        ("old", "new"),
        [("My umbrella!", "My umbrella?"), ('"lost"', '"found"'), ("urgent", "late")],
    )
    def test_a_frozen_set_that_changed_says_bump_the_version(
        self, sample: Any, old: str, new: str
    ) -> None:
        freeze(sample.root, "desk@v1")
        text = (sample.root / JSONL).read_text()
        sample.write(JSONL, text.replace(old, new))
        (problem,) = _refused(sample.root)
        assert (problem.file, problem.line, problem.key) == (f"{FOLDER}/set.yaml", 3, "digest")
        assert problem.suggestion is not None
        assert problem.suggestion.startswith("bump the version")
        assert problem.suggestion.endswith("goldensets/desk/v2")
        with pytest.raises(ConfigError, match="bump the version"):
            freeze(sample.root, "desk@v1")

    def test_a_frozen_set_may_be_described_better(self, sample: Any) -> None:
        freeze(sample.root, "desk@v1")
        sample.change(f"{FOLDER}/set.yaml", "version: 1\n", "version: 1\nowner: us\n")
        assert sample.load().suites["desk"].golden.owner == "us"

    def test_a_removed_case_changes_a_frozen_set(self, sample: Any) -> None:
        freeze(sample.root, "desk@v1")
        lines = (sample.root / JSONL).read_bytes().splitlines(keepends=True)
        sample.write(JSONL, b"".join(lines[:-1]))
        assert [p.key for p in _refused(sample.root)] == ["digest"]

    def test_a_file_that_cannot_take_the_line_stays_as_it_is(self, sample: Any) -> None:
        path = sample.write(f"{FOLDER}/set.yaml", "{name: desk, version: 1}\n")
        with pytest.raises(ConfigError, match="write it yourself: digest: sha256:"):
            freeze(sample.root, "desk@v1")
        assert path.read_text() == "{name: desk, version: 1}\n"

    def test_a_set_with_problems_is_not_frozen(self, sample: Any) -> None:
        sample.write(JSONL, '{"id": "x"}\n')
        with pytest.raises(ConfigError, match="is missing"):
            freeze(sample.root, "desk@v1")
        assert "digest" not in (sample.root / FOLDER / "set.yaml").read_text()

    def test_an_unknown_set_is_refused_with_what_exists(self, sample: Any) -> None:
        with pytest.raises(ConfigError, match="did you mean 'desk'"):
            freeze(sample.root, "dsk@v1")


def test_a_set_is_read_on_its_own_or_refused(sample: Any) -> None:
    tree = WorkingTree(sample.root)
    assert len(read_golden_set(tree, "desk@latest").cases) == 3
    with pytest.raises(ConfigError, match="has no version v4"):
        read_golden_set(tree, "desk@v4")
    sample.write(JSONL, "")
    with pytest.raises(ConfigError, match="holds no case"):
        read_golden_set(tree, "desk@v1")


def test_a_digest_is_refused_unless_it_is_one(sample: Any) -> None:
    sample.write(f"{FOLDER}/set.yaml", "name: desk\nversion: 1\ndigest: soon\n")
    assert _refused(sample.root)[0].expected == "a digest: sha256: and 64 hexadecimal digits"


def test_the_record_of_a_case_has_every_key_of_its_file(sample: Any) -> None:
    case = {
        "id": "full",
        "input": {"letter": "x"},
        "expected": {"queue": "lost", "citations": ["d"]},
        "tags": ["a"],
        "group": "g",
        "documents": [{"id": "d", "index": "kb", "text": "t"}],
        "tools": {"call_finder": [{"when": {"a": 1}, "returns": None}, {"raises": "no"}]},
        "approvals": {"call_finder": {"granted_by": "u", "team": "t"}},
        "identity": {"user": "u", "org": "o", "team": "t"},
        "source": {"kind": "written"},
        "added": "2026-11-24",
    }
    sample.write_cases([case])
    golden, problems = _load(sample.root)
    assert problems == []
    assert golden is not None
    (found,) = golden.cases
    assert isinstance(found, Case)
    assert found.documents[0].index == "kb"
    assert found.tools["call_finder"] == case["tools"]["call_finder"]  # type: ignore[index]
    assert found.approvals["call_finder"] == {"granted_by": "u", "team": "t"}
    assert (found.added, found.group, found.source) == ("2026-11-24", "g", {"kind": "written"})
