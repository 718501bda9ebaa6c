"""The circuit breaker on a clock of its own: when it opens, who probes it, when it closes."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.traffic import BreakerRules
from evalkit.control.breaker import FAILURES, Admission, Breaker
from evalkit.records.attempt import FailureMode
from tests.unit.control.fakes import FakeClock


class Circuit:
    """A breaker with its clock; `call` makes one call that ends as it is told."""

    def __init__(self, **rules: Any) -> None:
        self.clock = FakeClock()
        given_rules = {"failure_rate": 0.5, "min_calls": 4, "window_s": 10.0, "cool_down_s": 5.0}
        self.breaker = Breaker(BreakerRules.model_validate(given_rules | rules), self.clock)

    def call(self, code: str | None = None) -> bool:
        """One whole call; whether it was let through."""
        admission = self.breaker.admit()
        if admission is not None and code is None:
            admission.answered()
        elif admission is not None:
            admission.failed(str(code))
        return admission is not None

    def wait(self, seconds: float) -> None:
        asyncio.run(self.clock.sleep(seconds))

    def opened(self) -> "Circuit":
        for _ in range(self.breaker.rules.min_calls):
            self.call("timeout")
        assert self.breaker.state == "open"
        return self


def test_it_opens_at_the_failure_rate_and_not_below_it() -> None:
    circuit = Circuit(min_calls=10)
    for code in (None,) * 6 + ("timeout",) * 4:
        assert circuit.call(code)
    assert circuit.breaker.state == "closed"  # 4 of 10
    circuit.call("timeout")
    assert circuit.breaker.state == "closed"  # 5 of 11
    circuit.call("timeout")
    assert circuit.breaker.state == "open"  # 6 of 12


def test_fewer_calls_than_the_least_open_nothing() -> None:
    circuit = Circuit(min_calls=4)
    for _ in range(3):
        circuit.call("connection")
    assert circuit.breaker.state == "closed"


@pytest.mark.parametrize("code", sorted(set(FailureMode) - FAILURES))
def test_what_is_no_failure_of_the_provider_never_opens_it(code: str) -> None:
    circuit = Circuit()
    for _ in range(100):
        assert circuit.call(code)


@pytest.mark.parametrize("code", sorted(FAILURES))
def test_every_failure_of_the_provider_does(code: str) -> None:
    circuit = Circuit()
    assert [circuit.call(code) for _ in range(6)] == [True] * 4 + [False] * 2


def test_failures_that_are_older_than_the_window_are_forgotten() -> None:
    circuit = Circuit(min_calls=4, window_s=10)
    for _ in range(3):
        circuit.call("timeout")
    circuit.wait(11)
    circuit.call("timeout")
    assert circuit.breaker.state == "closed"


def test_after_the_cool_down_one_call_passes_and_no_other_until_it_ends() -> None:
    circuit = Circuit().opened()
    circuit.wait(4.9)
    assert not circuit.call()
    circuit.wait(0.2)
    probe = circuit.breaker.admit()
    assert probe is not None
    assert probe.is_probe
    assert not any(circuit.breaker.admit() for _ in range(64))
    probe.answered()
    assert circuit.breaker.state == "closed"
    assert all(circuit.call() for _ in range(64))


def test_a_probe_that_fails_opens_it_for_as_long_again() -> None:
    circuit = Circuit().opened()
    circuit.wait(5)
    assert circuit.call("server_error")
    assert circuit.breaker.state == "open"
    circuit.wait(4.9)
    assert not circuit.call()
    circuit.wait(0.1)
    assert circuit.call()


@pytest.mark.parametrize("code", [None, "rate_limited", "bad_request"])
def test_a_probe_that_tells_nothing_gives_its_place_back(code: str | None) -> None:
    circuit = Circuit().opened()
    circuit.wait(5)
    probe = circuit.breaker.admit()
    assert probe is not None
    if code is None:
        probe.forget()
    else:
        probe.failed(code)
    assert circuit.breaker.state == "half open"
    assert circuit.call()
    assert circuit.breaker.state == "closed"


def test_the_first_end_of_a_call_counts() -> None:
    circuit = Circuit(min_calls=1)
    admission = circuit.breaker.admit()
    assert admission is not None
    admission.answered()
    admission.failed("timeout")
    admission.forget()
    assert circuit.breaker.state == "closed"


def test_calls_that_began_before_it_opened_do_not_count_afterwards() -> None:
    circuit = Circuit()
    late = [circuit.breaker.admit() for _ in range(10)]
    circuit.opened()
    circuit.wait(5)
    assert circuit.call()  # the probe closes it
    for admission in late:
        assert admission is not None
        admission.failed("timeout")
    assert circuit.breaker.state == "closed"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["call", "wait", "end", "drop"]),
            st.floats(0, 8),
            st.sampled_from([None, "timeout", "rate_limited"]),
        ),
        max_size=120,
    )
)
def test_whatever_happens_at_most_one_probe_is_out_and_the_circuit_can_recover(
    story: list[tuple[str, float, str | None]],
) -> None:
    circuit = Circuit(min_calls=2)
    out: list[Admission] = []
    for act, seconds, code in story:
        if act == "call" and (admission := circuit.breaker.admit()):
            out.append(admission)
        elif act == "wait":
            circuit.wait(seconds)
        elif act == "drop" and out:
            out.pop().forget()
        elif act == "end" and out:
            ended = out.pop(0)
            if code is None:
                ended.answered()
            else:
                ended.failed(code)
        assert sum(each.is_probe for each in out) <= 1
    for each in out:
        each.forget()
    circuit.wait(5.001)  # sums of fractions may be short of 5 by a bit
    assert circuit.call()
    assert circuit.breaker.state == "closed"
