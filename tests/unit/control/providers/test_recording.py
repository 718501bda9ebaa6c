"""Replies of a real model, replayed from files."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from evalkit.control.providers.recording import RecordingProvider
from evalkit.errors import ConfigError, ProviderError
from evalkit.records.attempt import FailureMode
from evalkit.records.call import Attribution, Reply, Usage
from evalkit.records.recording import Recording
from tests.unit.control.providers.fakes import request, run


def recording(key: str, content: str = "yes", case: str = "c1") -> bytes:
    reply = Reply(
        content=content,
        model="tiny-1",
        usage=Usage(input_tokens=9, output_tokens=1),
        origin="live",
        measurement_id=f"local/{key}",
        measured_at="2026-11-01T10:00:00.000+00:00",
        latency_s=0.25,
    )
    return msgspec.json.encode(Recording(key=key, reply=reply, case=case, prompt="p@v1"))


def provider(root: Path, **files: bytes) -> RecordingProvider:
    folder = root / "recordings" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_bytes(content)
    return RecordingProvider(folder, name="embedded", model="tiny", identity="local")


def test_a_reply_is_found_by_its_key_and_is_the_original_measurement(tmp_path: Path) -> None:
    replayed = provider(tmp_path, a=recording("k0"), b=recording("k1", "no"))
    reply = run(replayed.complete(request(key="k1"), timeout_s=1))
    assert (reply.content, reply.origin, reply.model) == ("no", "recording", "tiny-1")
    assert (reply.measurement_id, reply.latency_s) == ("local/k1", 0.25)
    assert reply.measured_at == "2026-11-01T10:00:00.000+00:00"


def test_what_is_recorded_is_not_missing(tmp_path: Path) -> None:
    assert provider(tmp_path, a=recording("k1")).missing(request(key="k1")) is None


def test_what_is_missing_names_case_prompt_and_the_command(tmp_path: Path) -> None:
    message = provider(tmp_path, a=recording("k1")).missing(request(key="k2", trial=2))
    assert message is not None
    for words in ("tiny", "case c1", "p@v1", "trial 2", "recordings/tiny", "evalkit record s"):
        assert words in message


def test_a_model_without_recordings_is_missing_everything(tmp_path: Path) -> None:
    folder = tmp_path / "recordings" / "nothing"
    replayed = RecordingProvider(folder, name="embedded", model="nothing", identity="local")
    anonymous = request(attribution=Attribution())
    assert "request k1" in (replayed.missing(anonymous) or "")


def test_asking_for_what_is_missing_is_an_error_and_never_a_call(tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="evalkit record") as caught:
        run(provider(tmp_path).complete(request(), timeout_s=1))
    assert caught.value.code == FailureMode.NOT_RECORDED
    assert not caught.value.retryable


def test_every_broken_line_is_reported_with_its_file_and_line(tmp_path: Path) -> None:
    good = recording("k1")
    lines = [good, b"{", b"", b'{"key": "k2"}', good[:-1] + b', "extra": 1}', b"\xff\xff"]
    replayed = provider(tmp_path, a=b"\n".join(lines), b=b"null\n")
    with pytest.raises(ConfigError) as caught:
        replayed.missing(request())
    places = [problem.place for problem in caught.value.problems]
    file = "recordings/tiny/{}.jsonl:{}"
    assert places == [file.format("a", n) for n in (2, 4, 5, 6)] + [file.format("b", 1)]


def test_many_broken_lines_are_counted_after_fifty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(tmp_path, a=b"{\n" * 70).missing(request())
    assert len(caught.value.problems) == 51
    assert "20 more" in str(caught.value.problems[-1])


def test_byte_order_mark_and_crlf_are_fine(tmp_path: Path) -> None:
    replayed = provider(tmp_path, a=b"\xef\xbb\xbf" + recording("k1") + b"\r\n")
    assert replayed.missing(request(key="k1")) is None


def test_of_two_replies_under_one_key_the_first_is_taken(tmp_path: Path) -> None:
    replayed = provider(tmp_path, a=recording("k1", "first"), b=recording("k1", "second"))
    assert run(replayed.complete(request(), timeout_s=1)).content == "first"


def test_files_are_read_at_the_first_question_and_forgotten_when_closed(tmp_path: Path) -> None:
    replayed = provider(tmp_path)
    (tmp_path / "recordings/tiny/late.jsonl").write_bytes(recording("k1"))
    assert replayed.missing(request()) is None
    run(replayed.close())
    (tmp_path / "recordings/tiny/late.jsonl").unlink()
    assert replayed.missing(request()) is not None


@pytest.mark.parametrize("count", [2000])
def test_thousands_of_recordings_are_found(tmp_path: Path, count: int) -> None:
    lines: list[Any] = [recording(f"k{n}", str(n)) for n in range(count)]
    replayed = provider(tmp_path, a=b"\n".join(lines))
    last = run(replayed.complete(request(key=f"k{count - 1}"), timeout_s=1))
    assert last.content == str(count - 1)
