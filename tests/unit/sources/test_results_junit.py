"""JUnit XML: as pytest, node and jest wrote it, in the shapes of others, and as an attack."""

import tracemalloc
from pathlib import Path

import pytest

from evalkit.errors import ConfigError
from evalkit.records.results import Results
from evalkit.sources.results import read_results

DATA = Path(__file__).parents[2] / "data/results/junit"


def read(tmp_path: Path, xml: str | bytes) -> Results:
    path = tmp_path / "report.xml"
    path.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return read_results(path)


def outcomes(results: Results) -> dict[str, bool | None]:
    return {row.case: row.passed for row in results.rows}


def suite(*tests: str) -> str:
    return f"<testsuite name='s'>{''.join(tests)}</testsuite>"


def test_what_pytest_wrote() -> None:
    results = read_results(DATA / "pytest.xml")
    name = "pytest_suite::test_"
    assert outcomes(results) == {
        f"{name}passes[1]": True,
        f"{name}passes[a::b]": True,
        f"{name}passes[<x>&]": True,
        f"{name}fails": False,
        f"{name}breaks_before": None,
        f"{name}passes_and_breaks_after": None,
        f"{name}fails_and_breaks_after": False,  # two testcases in the file, and one test
        f"{name}is_skipped": None,
        f"{name}fails_as_expected": None,
        f"{name}passes_unexpectedly": False,
        f"{name}has_properties": True,
        "pytest_suite.TestInAClass::test_passes": True,
    }
    assert results.unknown == {"error": 2, "skipped": 2}
    (row,) = (row for row in results.rows if row.case.endswith("properties"))
    assert (row.group, row.tags, row.cost_usd) == ("g1", ("a", "b"), 0.01)


def test_what_node_wrote_in_nested_suites_without_class_names() -> None:
    assert outcomes(read_results(DATA / "node.xml")) == {
        "test::passes": True,
        "first::test::passes": True,
        "test::fails": False,
        "test::is skipped": None,
        "test::is to do": None,
        "first > inner::test::passes": True,
        "second::test::passes": True,
    }


def test_what_jest_wrote() -> None:
    assert outcomes(read_results(DATA / "jest.xml")) == {
        "passes::passes": True,
        "first passes::first passes": True,
        "first fails::first fails": False,
        "first is skipped::first is skipped": None,
        "second passes::second passes": True,
    }


def test_the_shape_of_go_junit_report_has_times_and_packages(tmp_path: Path) -> None:
    results = read(
        tmp_path,
        """<?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="3" failures="1" skipped="1">
          <testsuite name="example.org/a" tests="3" failures="1" errors="0" time="1.250">
            <properties><property name="go.version" value="go1.23"></property></properties>
            <testcase name="TestA" classname="example.org/a" time="1.000"></testcase>
            <testcase name="TestB/sub" classname="example.org/a" time="0.250">
              <failure message="Failed" type=""><![CDATA[a_test.go:1: <no>]]></failure>
            </testcase>
            <testcase name="TestC" classname="example.org/a" time="0.000">
              <skipped message="a_test.go:9: not here"></skipped>
            </testcase>
          </testsuite>
        </testsuites>""",
    )
    assert outcomes(results) == {
        "example.org/a::TestA": True,
        "example.org/a::TestB/sub": False,
        "example.org/a::TestC": None,
    }
    assert [row.latency_s for row in results.rows] == [1.0, 0.25, None]


@pytest.mark.parametrize(
    ("inside", "passed"),
    [
        ("", True),
        ("<flakyFailure/>", False),
        ("<flakyFailure/><flakyError/>", False),
        ("<flakyError/>", True),
        ("<failure/><rerunFailure/><rerunError/>", False),
        ("<error/><rerunFailure/>", False),
        ("<error/><rerunError/>", None),
        ("<failure/><error/>", False),
        ("<error/>", None),
        ("<skipped/>", None),
        ("<system-out>failure</system-out><system-err/>", True),
        ("<properties><property name='failure' value='x'/></properties>", True),
    ],
)
def test_the_first_try_counts_and_errors_do_not(
    tmp_path: Path, inside: str, passed: bool | None
) -> None:
    """Surefire's elements for tests that were tried again."""
    (row,) = read(tmp_path, suite(f"<testcase name='t' classname='c'>{inside}</testcase>")).rows
    assert row.passed is passed


@pytest.mark.parametrize("state", ["status='notrun'", "result='suppressed'", "status='DISABLED'"])
def test_a_test_that_says_it_was_not_run_has_no_result(tmp_path: Path, state: str) -> None:
    """googletest lists disabled tests without any element in them."""
    (row,) = read(tmp_path, suite(f"<testcase name='t' {state}/>")).rows
    assert row.passed is None


def test_one_name_in_two_files_is_told_apart_by_the_file(tmp_path: Path) -> None:
    tests = [f"<testcase name='t' classname='c' file='{name}.rb'/>" for name in "ab"]
    assert list(outcomes(read(tmp_path, suite(*tests)))) == ["a.rb > s::c::t", "b.rb > s::c::t"]


def test_repeats_are_trials_where_every_test_has_as_many(tmp_path: Path) -> None:
    tests = ["<testcase name='a'/><testcase name='b'/>", "<testcase name='a'/>"]
    twice = read(tmp_path, suite(tests[0], "<testcase name='b'><failure/></testcase>", tests[1]))
    assert [(row.case, row.trial, row.passed) for row in twice.rows] == [
        ("s::a", 0, True),
        ("s::b", 0, True),
        ("s::b", 1, False),
        ("s::a", 1, True),
    ]


def test_one_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """pytest-rerunfailures writes the try that failed like one that passed."""
    with pytest.raises(ConfigError, match=r"'s::a' is there 2 times \(line 1, line 1\), most"):
        read(tmp_path, suite("<testcase name='a'/>" * 2, "<testcase name='b'/>"))


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        ("<testsuites/>", "holds no result"),
        ("<testsuite name='s'>\n<testcase name='a'>", "report.xml:2: is no whole XML: no element"),
        ("<testsuite><testcase name='a'/></testsuites>", "mismatched tag"),
        ("<testsuite>\n\n<testcase/></testsuite>", "report.xml:3: a <testcase> has no name"),
        (suite("<testcase name='a'><testcase name='b'/></testcase>"), "inside another"),
        ("<html><body/></html>", "its first element is <html>; expected <testsuites>"),
        ("<testsuites name='promptfoo'/>", "let promptfoo write JSON"),
        ("<testsuites name='evalkit'/>", "evalkit gate RUN"),
        ("<?xml version='1.0' encoding='klingon'?><testsuite/>", "unknown encoding"),
        ("<?xml version='1.0' encoding='utf-7'?><testsuite/>", "encoding"),
        ("<testsuite>\x00</testsuite>", "not well-formed"),
        ("<a>" * 200, "its first element is <a>"),
        ("<testsuite>" * 200, "nested more than 100 levels deep"),
        (suite("<testcase name='a'>&no;</testcase>"), "undefined entity"),
        (
            suite(
                "<testcase name='a'><properties><property name='tokens' value='-1'/>"
                "</properties></testcase>"
            ),
            "tokens: wrong value of a property (found '-1')",
        ),
    ],
)
def test_what_is_no_whole_report_is_refused(tmp_path: Path, xml: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, xml)
    assert says in str(caught.value)


LAUGHS = "".join(f"<!ENTITY l{i + 1} '{f'&l{i};' * 10}'>" for i in range(9))


@pytest.mark.parametrize(
    "declared",
    [
        f"<!DOCTYPE t [<!ENTITY l0 'ha'>{LAUGHS}]>",
        "<!DOCTYPE t [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE t SYSTEM 'http://127.0.0.1:9/t.dtd'>",
    ],
)
def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path, declared: str) -> None:
    xml = f"<?xml version='1.0'?>\n{declared}\n" + suite("<testcase name='a'>&l9;</testcase>")
    with pytest.raises(ConfigError, match=r"report\.xml:2: declares a document type"):
        read(tmp_path, xml)


def test_utf_16_is_read(tmp_path: Path) -> None:
    xml = "<?xml version='1.0' encoding='utf-16'?>" + suite("<testcase name='ä'/>")
    assert outcomes(read(tmp_path, xml.encode("utf-16"))) == {"s::ä": True}


def test_output_of_tests_is_not_kept_in_memory(tmp_path: Path) -> None:
    """20 MB of output around 40 tests."""
    noise = "<system-out>" + "x" * 500_000 + "</system-out>"
    path = tmp_path / "big.xml"
    path.write_text(suite(*(f"<testcase name='t{i}'>{noise}</testcase>" for i in range(40))))
    tracemalloc.start()
    try:
        assert len(read_results(path).rows) == 40
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("test", "passed"),
    [
        ("<testcase name='a' status='failed'/>", False),
        ("<testcase name='a' result='Failure'/>", False),
        ("<testcase name='a' status='error'/>", None),
        ("<testcase name='a' status='run' result='completed'/>", True),
        ("<testcase name='a'><x:failure xmlns:x='urn:x'/></testcase>", False),
    ],
)
def test_a_failure_counts_however_it_is_said(
    tmp_path: Path, test: str, passed: bool | None
) -> None:
    assert outcomes(read(tmp_path, suite(test, "<testcase name='b'/>")))["s::a"] is passed


def test_an_error_of_a_whole_suite_is_no_set_of_results(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="outside of every <testcase>"):
        read(tmp_path, suite("<testcase name='a'/>", "<error message='setup'/>"))
