"""Rego in process: exact input, no look outside, and an error is no decision."""

from typing import Any

import pytest

from evalkit.control.rego.decision import Undecided
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


def engine(*texts: str, package: str = "evalkit.policy") -> RegoEngine:
    sources = {f"policies/p{number}.rego": text for number, text in enumerate(texts)}
    return RegoEngine(sources, package=package, shadow=False)


def asking(amount: Any, name: str = "refund") -> dict[str, Any]:
    return {"act": "authorize", "tool": {"name": name, "arguments": {"amount": amount}}}


def outcomes(policy: RegoEngine, document: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted((ruling.rule, ruling.outcome) for ruling in policy.rule(document))


def test_a_denial_has_its_rule_and_its_words() -> None:
    (ruling,) = engine(LIMIT).rule(asking(500))
    assert ruling.rule == "rego.evalkit.policy.limit"
    assert (ruling.stops, ruling.message) == (True, "500 is too much")


def test_one_policy_answers_many_acts() -> None:
    policy = engine(LIMIT)
    for _ in range(3):
        assert outcomes(policy, asking(5)) == [("rego.evalkit.policy", "allowed")]
        assert outcomes(policy, asking(500)) == [("rego.evalkit.policy.limit", "denied")]


@pytest.mark.parametrize("amount", [2**64 + 5, 10**30, 101.0, 1e300, 2**63])
def test_an_amount_is_compared_as_it_is_however_large(amount: float) -> None:
    assert outcomes(engine(LIMIT), asking(amount)) == [("rego.evalkit.policy.limit", "denied")]


def test_a_name_is_not_cut_at_a_nul() -> None:
    policy = engine('package evalkit.policy\nimport rego.v1\nallow := input.tool.name == "send"\n')
    assert outcomes(policy, asking(1, "send")) == [("rego.evalkit.policy", "allowed")]
    assert outcomes(policy, asking(1, "send\x00x")) == [("rego.evalkit.policy.allow", "denied")]


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "a`b", "é\u2028", "🙂", "\ud800"])
def test_no_text_of_the_input_is_read_as_rego(name: str) -> None:
    assert outcomes(engine(LIMIT), asking(1, name)) == [("rego.evalkit.policy", "allowed")]


def test_rules_of_several_files_come_together() -> None:
    more = (
        'package evalkit.policy\nimport rego.v1\ndeny contains "no" if input.act == "authorize"\n'
    )
    assert len(engine(LIMIT, more).rule(asking(500))) == 2


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
def test_a_policy_that_cannot_be_evaluated_decides_nothing(text: str) -> None:
    with pytest.raises(Undecided):
        engine(text).rule(asking(1))


@pytest.mark.parametrize("amount", [float("nan"), float("inf")])
def test_what_json_cannot_hold_decides_nothing(amount: float) -> None:
    with pytest.raises(Undecided):
        engine(LIMIT).rule(asking(amount))


def test_a_file_that_does_not_compile_is_a_configuration_error_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"p0\.rego.*cannot be compiled"):
        engine("package evalkit.policy\nallow if {\n")


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
def test_a_policy_that_looks_outside_is_refused_with_its_line(call: str) -> None:
    head = "package evalkit.policy\nimport rego.v1\n# about http.send\n"
    text = f"{head}allow if {{ x := {call}; x }}\n"
    with pytest.raises(ConfigError) as refused:
        engine(text)
    (problem,) = refused.value.problems
    assert (problem.file, problem.line) == ("policies/p0.rego", 4)


def test_a_name_in_a_text_or_a_comment_is_no_call() -> None:
    text = (
        "package evalkit.policy\nimport rego.v1\n# http.send is not used\n"
        'deny contains "never call opa.runtime" if input.tool.name == `net.x`\n'
    )
    assert outcomes(engine(text), asking(1)) == [("rego.evalkit.policy", "allowed")]
