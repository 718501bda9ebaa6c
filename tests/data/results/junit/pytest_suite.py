"""Tests for pytest to report: `write_reports.py` runs them, the project's own run does not."""

from collections.abc import Iterator
from typing import NoReturn

import pytest


@pytest.mark.parametrize("number", [1, "a::b", "<x>&"])
def test_passes(number: object) -> None:
    pass


def test_fails() -> None:
    raise AssertionError("no")


@pytest.fixture
def broken_before() -> NoReturn:
    raise RuntimeError("the service is down")


@pytest.fixture
def broken_after() -> Iterator[None]:
    yield
    raise RuntimeError("the service is down")


def test_breaks_before(broken_before: None) -> None:
    pass


def test_passes_and_breaks_after(broken_after: None) -> None:
    pass


def test_fails_and_breaks_after(broken_after: None) -> None:
    raise AssertionError("no")


@pytest.mark.skip(reason="not now")
def test_is_skipped() -> None:
    pass


@pytest.mark.xfail
def test_fails_as_expected() -> None:
    raise AssertionError("no")


@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly() -> None:
    pass


def test_has_properties(record_property: pytest.FixtureRequest) -> None:
    record_property("group", "g1")  # type: ignore[operator]
    record_property("tags", "a b")  # type: ignore[operator]
    record_property("cost_usd", 0.01)  # type: ignore[operator]


class TestInAClass:
    def test_passes(self) -> None:
        pass
