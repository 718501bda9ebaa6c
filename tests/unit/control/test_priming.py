"""Sessions over the cases of a suite are primed as each case alone would prime them."""

from evalkit.control.redaction import Priming, Redactor, redact_case
from evalkit.records.case import Case
from evalkit.records.cases import Cases

PLAIN = Case(id="plain", input={"text": "Where is my parcel?"}, expected={"output": "logistics"})
NAMED = Case(
    id="named",
    input={"text": "Write to ann@example.org"},
    expected={"contains": ["bob@example.org", "ann@example.org"]},
)
OF_TOOL = Case(id="tool", input={"n": 1}, tools={"call": [{"returns": {"to": "ann@example.org"}}]})
CASES = Cases.of([PLAIN, NAMED, OF_TOOL])


def test_cases_are_redacted_each_by_itself() -> None:
    redacted = Priming(CASES).redact_all()
    assert redacted == [redact_case(each) for each in CASES]
    assert redacted[0] == PLAIN
    assert redacted[1].expected == {"contains": ["[EMAIL_2]", "[EMAIL_1]"]}


def test_a_redactor_knows_what_its_case_holds_before_and_after_all_were_redacted() -> None:
    priming = Priming(CASES)
    before = [priming.redactor(each).knows for each in CASES]
    priming.redact_all()
    assert [priming.redactor(each).knows for each in CASES] == before
    assert before == [Redactor.primed_with(each).knows for each in CASES]
    assert before[0] == () and len(before[1]) == 2 and len(before[2]) == 1


def test_two_sessions_over_a_case_do_not_share_what_they_meet() -> None:
    priming = Priming(CASES)
    priming.redact_all()
    for case in CASES:
        first, second = priming.redactor(case), priming.redactor(case)
        first.redact("carol@example.org")
        assert second.knows == Redactor.primed_with(case).knows


def test_a_case_that_is_none_of_them_is_looked_through() -> None:
    priming = Priming(Cases.of([PLAIN]))
    priming.redact_all()
    assert len(priming.redactor(NAMED).knows) == 2
