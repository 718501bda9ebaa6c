"""What a worker needs of a run: its arms with the assets that were read, and no secret.

Workers read no project. They get what the control session read, as one parcel whose digest is
checked when it arrives, so a worker cannot measure anything else. Keys are not in it: it names the
environment variables that hold them, and each worker looks in its own environment.
"""

import hashlib
import pickle
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import evalkit
from evalkit._version import __version__
from evalkit.config.model import Config
from evalkit.control.providers.faulty import Fault
from evalkit.records.attempt import VariantName
from evalkit.sources.assets import SuiteAssets
from evalkit.workflows.runs.engines.messages import Introduction


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmParcel:
    """One arm of one suite, without its cases: those come with the attempts."""

    variant: VariantName
    config: Config
    assets: SuiteAssets


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A run, for those who make its attempts. `files` are recordings and scripts by path.

    `variables` are the environment variables that a worker must have; `cached` tells that there is
    a reply cache to ask for, `content` that spans hold what was said.
    """

    arms: tuple[ArmParcel, ...]
    files: Mapping[str, bytes]
    variables: tuple[str, ...]
    faults: Mapping[str, Fault]
    live: bool
    offline: bool
    cached: bool
    content: bool


def pack(parcel: Parcel) -> tuple[bytes, str]:
    """The parcel as bytes, and their digest."""
    packed = pickle.dumps(parcel, protocol=5)
    return packed, hashlib.sha256(packed).hexdigest()


def unpack(packed: bytes) -> Parcel:
    """The parcel again; only of bytes whose digest was compared."""
    parcel = pickle.loads(packed)
    assert isinstance(parcel, Parcel)
    return parcel


def introduce(*, node: str, process: int) -> Introduction:
    """This process, as others compare it with themselves."""
    return Introduction(
        version=__version__,
        source=source_digest(),
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        node=node,
        process=process,
    )


@cache
def source_digest() -> str:
    """A digest over the code of this evalkit: a version says little of a checkout."""
    root = Path(evalkit.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
