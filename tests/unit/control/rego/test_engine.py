"""Rego of files: exact input, no look outside, and whatever goes wrong is no decision."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from evalkit.control.rego.engine import RegoEngine
from evalkit.errors import ConfigError

LIMIT = """\
package evalkit.policy
import rego.v1
deny contains {"rule": "limit", "message": sprintf("%v is too much", [amount])} if {
    input.act == "authorize"
    amount := input.tool.arguments.amount
    amount > 100
}
deny contains "never this tool" if input.tool.name == "wipe"
"""


Build = Callable[..., RegoEngine]


@pytest.fixture
def engine() -> Iterator[Build]:
    built: list[RegoEngine] = []

    def build(
        *texts: str, package: str = "evalkit.policy", shadow: bool = False, timeout_s: float = 30.0
    ) -> RegoEngine:
        sources = {f"policies/p{number}.rego": text for number, text in enumerate(texts)}
        built.append(RegoEngine(sources, package=package, shadow=shadow, timeout_s=timeout_s))
        return built[-1]

    yield build
    for each in built:
        each.close()


def asking(amount: Any, name: str = "refund") -> dict[str, Any]:
    return {"act": "authorize", "tool": {"name": name, "arguments": {"amount": amount}}}


def outcomes(policy: RegoEngine, document: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((ruling.rule, ruling.outcome) for ruling in policy.check(document))


def test_a_denial_has_its_rule_and_its_words(engine: Build) -> None:
    (ruling,) = engine(LIMIT).check(asking(500))
    assert ruling.rule == "rego.evalkit.policy.limit"
    assert (ruling.stops, ruling.message) == (True, "500 is too much")


def test_one_policy_answers_many_acts(engine: Build) -> None:
    policy = engine(LIMIT)
    for _ in range(3):
        assert outcomes(policy, asking(5)) == [("rego.evalkit.policy", "allowed")]
        assert outcomes(policy, asking(500)) == [("rego.evalkit.policy.limit", "denied")]


@pytest.mark.parametrize("amount", [2**64 + 5, 10**30, 101.0, 1e300, 2**63])
def test_an_amount_is_compared_as_it_is_however_large(engine: Build, amount: float) -> None:
    assert outcomes(engine(LIMIT), asking(amount)) == [("rego.evalkit.policy.limit", "denied")]


def test_a_name_is_not_cut_at_a_nul(engine: Build) -> None:
    policy = engine('package evalkit.policy\nimport rego.v1\nallow := input.tool.name == "send"\n')
    assert outcomes(policy, asking(1, "send")) == [("rego.evalkit.policy", "allowed")]
    assert outcomes(policy, asking(1, "send\x00x")) == [("rego.evalkit.policy.allow", "denied")]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a`b", "é\u2028", "🙂", "\ud800"])
def test_no_text_of_the_input_is_read_as_rego(engine: Build, name: str) -> None:
    assert outcomes(engine(LIMIT), asking(1, name)) == [("rego.evalkit.policy", "allowed")]


def test_rules_of_several_files_come_together(engine: Build) -> None:
    more = (
        'package evalkit.policy\nimport rego.v1\ndeny contains "no" if input.act == "authorize"\n'
    )
    assert len(engine(LIMIT, more).check(asking(500))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "package other\nallow := true\n",
        'package evalkit.policy\nimport rego.v1\nwarn contains "x"\n',
        # one rule with two values: an error while it is evaluated
        "package evalkit.policy\nimport rego.v1\nallow := true if input.act\nallow := false if "
        "input.tool\n",
        'package evalkit.policy\nimport rego.v1\ndeny contains "x" if input.tool.arguments.amount '
        "/ 0 == 1\n",
    ],
)
def test_a_policy_that_cannot_be_evaluated_decides_nothing(engine: Build, text: str) -> None:
    assert outcomes(engine(text), asking(1)) == [("policy.error", "denied")]


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_what_json_cannot_hold_decides_nothing(engine: Build, amount: float) -> None:
    assert outcomes(engine(LIMIT), asking(amount)) == [("policy.error", "denied")]


def test_a_file_that_does_not_compile_is_a_configuration_error_that_names_it(engine: Build) -> None:
    with pytest.raises(ConfigError, match=r"p0\.rego.*cannot be compiled") as told:
        engine("package evalkit.policy\nallow if {\n")
    assert "p0.rego:2: " in str(told.value)
    assert "errormsg" not in str(told.value)


@pytest.mark.parametrize(
    "call",
    [
        'http.send({"method": "get", "url": "http://127.0.0.1"})',
        "opa.runtime()",
        "opa . runtime()",
        'opa["runtime"]()',
        'net.lookup_ip_addr("localhost")',
        "time.now_ns()",
        'rand.intn("x", 3)',
        'uuid.rfc4122("x")',
    ],
)
def test_a_policy_that_looks_outside_is_refused_with_its_line(engine: Build, call: str) -> None:
    head = "package evalkit.policy\nimport rego.v1\n# about http.send\n"
    text = f"{head}allow if {{ x := {call}; x }}\n"
    with pytest.raises(ConfigError) as refused:
        engine(text)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("policies/p0.rego", 4)


def test_a_name_in_a_text_or_a_comment_is_no_call(engine: Build) -> None:
    text = (
        "package evalkit.policy\nimport rego.v1\n# http.send is not used\n"
        'deny contains "never call opa.runtime" if input.tool.name == `net.x`\n'
    )
    assert outcomes(engine(text), asking(1)) == [("rego.evalkit.policy", "allowed")]


def test_in_shadow_mode_a_policy_that_cannot_be_evaluated_stops_nothing(engine: Build) -> None:
    (ruling,) = engine("package other\nallow := true\n", shadow=True).check(asking(1))
    assert (ruling.rule, ruling.outcome) == ("policy.error", "warned")


# too many pairs to look at before the timeout
ENDLESS = """\
package evalkit.policy
import rego.v1
all := numbers.range(1, 20000)
deny contains "x" if count([1 | some i in all; some j in all; i == j]) < 0
"""


def test_a_policy_that_does_not_end_denies_and_the_next_act_is_asked_anew(engine: Build) -> None:
    policy = engine(ENDLESS, timeout_s=0.2)
    for _ in range(2):
        (ruling,) = policy.check(asking(1))
        assert (ruling.rule, ruling.stops) == ("policy.error", True)
        assert "no decision within 0.2 s" in ruling.message
