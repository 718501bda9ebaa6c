"""Whatever a file or a server says, it is read or refused: never a traceback, never for ever.

`HYPOTHESIS_PROFILE=fuzz` draws many more; `make fuzz` is guided by coverage (docs/any-input.md).
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.fuzzing.memory_tree import DATA
from tests.faults.fuzzing.mutation import Step, mutate
from tests.faults.fuzzing.target import hold
from tests.faults.fuzzing.targets import TARGETS

EXAMPLES = int(os.environ.get("EVALKIT_FUZZ_EXAMPLES", "8"))
CORPUS = sorted(path for path in (DATA / "corpus").glob("*/*") if path.is_file())
STEPS = st.lists(
    st.tuples(st.integers(0, 8), st.integers(0, 1 << 24), st.integers(0, 1 << 16)),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_valid_is_read(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        hold(TARGETS[name], seed)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data(), steps=STEPS)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES == 8,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_what_was_valid_is_read_or_refused(
    name: str, data: st.DataObject, steps: list[Step]
) -> None:
    target = TARGETS[name]
    hold(target, mutate(data.draw(st.sampled_from(target.seeds())), steps))


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_once_is_refused_as_it_should(path: os.PathLike[str]) -> None:
    with open(path, "rb") as file:
        hold(TARGETS[os.path.basename(os.path.dirname(path))], file.read())
