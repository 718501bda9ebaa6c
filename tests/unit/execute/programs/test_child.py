"""Which functions can be a target, and whether they take a session."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalkit.execute.programs.child import load

SOURCE = """
import functools

def plain(given): ...
def with_default(given, verbose=False): ...
def with_session(given, session): ...
def optional_session(given, session=None): ...
async def later(given, session): ...
def no_input(): ...
def three(a, b, c): ...
def keyword_only(given, *, session): ...
def anything(*given): ...
class Agent:
    def __call__(self, given): ...
    def run(self, given, session): ...
agent = Agent()
part = functools.partial(three, 1)
number = 5
"""


@pytest.fixture
def module(tmp_path: Path) -> Iterator[str]:
    name = f"loaded_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(SOURCE)
    sys.path.insert(0, str(tmp_path))
    yield name
    sys.path.remove(str(tmp_path))
    sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("plain", False),
        ("with_default", False),
        ("with_session", True),
        ("optional_session", True),
        ("later", True),
        ("anything", False),
        ("agent", False),
        ("agent.run", True),
        ("part", True),
    ],
)
def test_a_second_parameter_is_the_session(module: str, path: str, session: bool) -> None:
    assert load(f"{module}:{path}")[1] is session


@pytest.mark.parametrize("path", ["no_input", "three", "number", "keyword_only"])
def test_what_does_not_take_an_input_is_no_target(module: str, path: str) -> None:
    with pytest.raises(TypeError):
        load(f"{module}:{path}")


def test_a_name_that_is_not_there_is_said(module: str) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        load(f"{module}:nothing")
    with pytest.raises(ModuleNotFoundError):
        load("no_such_module:f")
