"""Recordings are the same bytes for the same replies, so that a diff shows what changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import ConfigError, StoreError
from evalkit.records.recording import Recording
from evalkit.store.recordings import RecordingWriter

Build = Callable[..., Any]


@pytest.fixture
def recording(reply: Build) -> Callable[..., Recording]:
    """A recording by its key and place."""

    def build(key: str, case: str = "t-1", prompt: str = "triage@v1", trial: int = 1) -> Recording:
        return Recording(
            key=key, reply=reply(f"reply to {key}"), case=case, prompt=prompt, trial=trial
        )

    return build


def test_recordings_are_sorted_by_case_prompt_and_trial(tmp_path: Path, recording: Build) -> None:
    given = [
        recording("e", case="t-2"),
        recording("d", prompt="triage@v2"),
        recording("c", trial=2),
        recording("b"),
    ]
    writer = RecordingWriter(tmp_path)
    path = writer.write("smollm2-135m", "routing", given)
    assert path == tmp_path / "smollm2-135m" / "routing.jsonl"
    assert [each.key for each in writer.read("smollm2-135m", "routing")] == ["b", "c", "d", "e"]


def test_the_order_of_arrival_does_not_change_a_byte(tmp_path: Path, recording: Build) -> None:
    given = [recording(key, case=f"t-{number}") for number, key in enumerate("abcdef")]
    writer = RecordingWriter(tmp_path)
    first = writer.write("m", "s", given).read_bytes()
    assert writer.write("m", "s", reversed(given)).read_bytes() == first
    assert first.count(b"\n") == 6
    assert first.endswith(b"\n")


def test_new_recordings_are_merged_by_key(tmp_path: Path, recording: Build, reply: Build) -> None:
    writer = RecordingWriter(tmp_path)
    writer.write("m", "s", [recording("a", case="t-1"), recording("b", case="t-2")])
    again = Recording(key="a", reply=reply("better"), case="t-1")
    writer.write("m", "s", [*writer.read("m", "s"), again])
    assert [each.reply.content for each in writer.read("m", "s")] == ["better", "reply to b"]


def test_nothing_recorded_reads_as_nothing(tmp_path: Path) -> None:
    assert RecordingWriter(tmp_path).read("m", "s") == ()


def test_a_broken_line_is_an_error_with_its_number(tmp_path: Path, recording: Build) -> None:
    writer = RecordingWriter(tmp_path)
    path = writer.write("m", "s", [recording("a")])
    path.write_bytes(path.read_bytes() + b"{}\n")
    with pytest.raises(ConfigError, match=r"m/s\.jsonl:2: is no recording"):
        writer.read("m", "s")


def test_a_last_line_without_a_newline_is_read_too(tmp_path: Path, recording: Build) -> None:
    writer = RecordingWriter(tmp_path)
    path = writer.write("m", "s", [recording("a"), recording("b")])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert len(writer.read("m", "s")) == 2


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    writer = RecordingWriter(tmp_path / "recordings")
    for names in ((name, "s"), ("m", name)):
        with pytest.raises(StoreError, match="cannot be the name"):
            writer.write(*names, [])
    assert not (tmp_path / "recordings").exists()
