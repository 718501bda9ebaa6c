"""The document that GitHub shows: the verdict first, everything that matters, nothing injected."""

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from evalkit.gate import GateSettings
from evalkit.records.case import Case
from evalkit.records.last_run import LastRun
from evalkit.records.run import Totals
from evalkit.records.verdict import (
    Outcome,
    PartVerdict,
    Quarantined,
    SuiteVerdict,
    Verdict,
    Waiver,
)
from evalkit.report.comparison import compare_run
from evalkit.report.github.budget import utf8_bytes, utf16_units
from evalkit.report.github.comment import comment_body, stamp_of
from evalkit.report.github.document import Ending, document
from evalkit.report.github.stamp import read_stamp
from evalkit.report.github.subject import Subject
from evalkit.report.github.summary import summary_text
from evalkit.report.github.wording import spoken
from tests.unit.report.conftest import Builder, MakeRun, Results, Spec
from tests.unit.report.test_markup import HOSTILE, LIVE, RENDERER, leaves

Sides = dict[str, tuple[Results, Results]]
TAG = re.compile(r"</?(details|summary|code)>")
MARKER = re.compile(r"<!-- evalkit:\S+ run=\S+ at=\S+ ci=\S+ suites=\w+ exit=\d+ -->\n?")


def subject_of(make_run: MakeRun, results: Sides, **spec: Any) -> Subject:
    run, passes = make_run(results, **spec)
    return Subject(run=run, comparison=compare_run(run, passes))


def with_verdict(subject: Subject, verdict: Verdict) -> Subject:
    """The same run under another verdict."""
    assert subject.run is not None and subject.comparison is not None
    run = replace(
        subject.run,
        record=replace(subject.run.record, verdict=verdict, exit_code=verdict.exit_code),
    )
    suites = tuple(
        replace(suite, verdict=of_suite)
        for suite, of_suite in zip(subject.comparison.suites, verdict.suites, strict=True)
    )
    comparison = replace(subject.comparison, suites=suites, verdict=verdict)
    return Subject(run=run, comparison=comparison, fork=subject.fork)


def part(kind: str, outcome: Outcome, **more: Any) -> PartVerdict:
    values: dict[str, Any] = {
        "name": kind,
        "kind": kind,
        "outcome": outcome,
        "required": True,
        "message": f"About the {kind}.",
        "best": outcome,
        "worst": outcome,
    }
    return PartVerdict(**(values | more))


def verdict_of(outcome: Outcome, *parts: PartVerdict, code: int = 1, **more: Any) -> Verdict:
    suite = SuiteVerdict(
        suite="routing",
        outcome=outcome,
        parts=parts,
        unknown=0,
        planned=120,
        on_inconclusive="escalate",
        **more,
    )
    return Verdict(outcome=outcome, exit_code=code, suites=(suite,), reasons=())


def test_the_verdict_comes_first_and_every_figure_after_it(
    make_run: MakeRun, regressed: Sides
) -> None:
    text = document(subject_of(make_run, regressed, origin="live"), limit=65_535)
    assert text.startswith(
        """## evalkit: FAIL

**routing: the pass rate fell 10 pp; less than 3 pp is allowed.** Exit code 1.

| suite | verdict | pass rate | drop | margin | b / c | cases | USD/case | latency | tokens/case |
|:--|:--|--:|--:|--:|--:|--:|--:|--:|--:|
"""
    )
    row = next(line for line in text.splitlines() if line.startswith("| `routing` | **FAIL**"))
    assert "| 91.7 % → 81.7 % | 10 pp (5 pp to 15.95 pp) | 3 pp | 14 / 2 | 120 |" in row
    assert "| \\$0.0010 → \\$0.000404 | 250 ms | 1,004 → 404 |" in row
    assert "### What decided" in text
    assert "b = 14 newly failing, c = 2 newly passing, n = 120 cases" in text
    assert "### Newly failing: 14" in text
    assert "- 2 cases newly passing: `case-015`, `case-016`" in text
    assert "Evidence: 240 live." in text
    assert "Next: `evalkit diff 20261124T193301Z-3f2a`" in text
    order = ["## evalkit", "| suite", "### What decided", "### Newly failing", "Evidence"]
    assert [text.index(each) for each in order] == sorted(text.index(each) for each in order)


def test_what_changed_in_the_assets_is_named(make_run: MakeRun, regressed: Sides) -> None:
    subject = subject_of(make_run, regressed)
    assert subject.run is not None
    suite = subject.run.record.suites[0]
    digests = {
        "baseline": {"prompts/a/v1.yaml": "sha256:1", "routes.a": "sha256:3"},
        "candidate": {"prompts/a/v2.yaml": "sha256:2", "routes.a": "sha256:3"},
    }
    variants = tuple(replace(each, digests=digests[each.variant]) for each in suite.variants)
    changed = replace(suite, variants=variants)
    record = replace(subject.run.record, suites=(changed,))
    run = replace(subject.run, record=record)
    text = document(
        Subject(last=subject.last, run=run, comparison=subject.comparison), limit=65_535
    )
    assert "- changed: `prompt prompts/a/v1.yaml → prompts/a/v2.yaml`" in text
    assert "routes.a" not in text


def test_twenty_cases_are_listed_and_the_others_counted(make_run: MakeRun) -> None:
    results: Sides = {f"c{number:03}": ((True,), (number > 30,)) for number in range(100)}
    text = document(subject_of(make_run, results), limit=65_535)
    assert text.count("<details>") == text.count("</details>") == 20
    assert "### Newly failing: 31" in text
    assert "11 more are not listed here." in text


def test_an_open_verdict_says_what_would_settle_it(make_run: MakeRun) -> None:
    results: Sides = {f"c{number}": ((True,), (True,)) for number in range(20)}
    text = document(subject_of(make_run, results), limit=65_535)
    assert text.startswith("## evalkit: INCONCLUSIVE\n")
    assert "to settle it: " in text


def test_what_was_waived_weakened_or_quarantined_comes_before_the_figures(
    make_run: MakeRun, regressed: Sides
) -> None:
    waiver = Waiver(
        id="w-1",
        suite="routing",
        part="drop",
        reason="The new tone is wanted.",
        accepted_by="ada@example.org",
        on="2026-11-01",
        until="2026-12-31",
    )
    verdict = verdict_of(
        Outcome.INCONCLUSIVE,
        part("drop", Outcome.FAIL, waiver=waiver),
        part("guard", Outcome.INCONCLUSIVE, message="The margin went from 2 pp to 3 pp."),
        quarantined=(Quarantined(case="case-007", until="2026-12-01", reason="Flips."),),
        code=3,
    )
    text = document(with_verdict(subject_of(make_run, regressed), verdict), limit=65_535)
    aside = text[text.index("### Set aside or weakened") : text.index("| suite")]
    assert (
        "- **FAIL** (accepted) `routing` `drop` by `ada@example.org` until 2026-12-31 (`w-1`): The "
        "new tone is wanted." in aside
    )
    assert "- **INCONCLUSIVE** `routing` `guard`: The margin went from 2 pp to 3 pp." in aside
    assert "- **quarantined** `routing` `case-007` until 2026-12-01: Flips." in aside
    assert text.count("The margin went from 2 pp to 3 pp") == 2  # the reason is another


def test_cases_that_broke_an_invariant_are_named(make_run: MakeRun, regressed: Sides) -> None:
    broken = part("invariant", Outcome.FAIL, name="invariant:policy", cases=("case-001", "case-9"))
    verdict = verdict_of(Outcome.FAIL, broken)
    text = document(with_verdict(subject_of(make_run, regressed), verdict), limit=65_535)
    assert "- cases: `case-001`, `case-9`" in text


def test_failure_modes_are_counted_most_frequent_first(make_run: MakeRun, regressed: Sides) -> None:
    subject = subject_of(make_run, regressed)
    assert subject.run is not None
    record = subject.run.record

    def totals(variant: str, modes: dict[str, int]) -> Totals:
        return Totals(
            variant=variant,
            cases=120,
            attempts=120,
            passed=100,
            errors=0,
            states={},
            failure_modes=modes,
            input_tokens=0,
            output_tokens=0,
            cost_usd=None,
            billed_usd=0,
            fallbacks=0,
            guardrails=0,
        )

    both = (totals("baseline", {"timeout": 3}), totals("candidate", {"wrong_output": 22}))
    record = replace(record, suites=(replace(record.suites[0], totals=both),))
    subject = Subject(run=replace(subject.run, record=record), comparison=subject.comparison)
    text = document(subject, limit=65_535)
    assert "| `wrong_output` | 0 | 22 |\n| `timeout` | 3 | 0 |" in text


def test_scripted_replies_are_called_scripts_before_any_figure(
    make_run: MakeRun, regressed: Sides
) -> None:
    text = document(subject_of(make_run, regressed, origin="scripted"), limit=65_535)
    assert "This rests on scripted replies." in text[: text.index("| suite")]


@pytest.mark.parametrize(("origin", "replayed"), [("recording", True), ("live", False)])
def test_a_fork_says_what_it_was_measured_on(
    make_run: MakeRun, regressed: Sides, origin: str, replayed: bool
) -> None:
    found = subject_of(make_run, regressed, origin=origin)
    subject = Subject(run=found.run, comparison=found.comparison, fork=True)
    text = document(subject, limit=65_535, ending=Ending(live_run="Add the label live."))
    assert "The change comes from a fork" in text
    assert ("it was measured on stored replies, and no model was asked" in text) is replayed
    assert "Add the label live." in text


def test_what_recordings_cannot_measure_is_no_pass_and_says_how_to_measure_it() -> None:
    last = LastRun(
        at="2026-11-24T19:33:01+00:00",
        command=("run",),
        exit_code=2,
        kind="not_measured",
        message="ticket_routing@v3 has no recordings\n"
        "  `evalkit record` records `tr-1`\n  and `tr-2`\n",
        settle="set OPENAI_API_KEY and run evalkit record",
        sha="ab" * 20,
    )
    text = document(
        Subject(last=last, fork=True), limit=65_535, ending=Ending(live_run="Ask for a live run.")
    )
    assert text.startswith(
        "## evalkit: NOT MEASURED\n\n**recorded and scripted replies cannot measure"
    )
    assert "Nothing was measured, so this is no pass." in text
    assert "To measure it: set OPENAI_API_KEY and run evalkit record" in text
    assert text.count("Ask for a live run.") == 1
    assert "\n\n> `ticket_routing@v3` has no recordings\n" in text
    assert "- `evalkit record` records `tr-1`\n- and `tr-2`\n\nNothing" in text
    assert "Ended `2026-11-24T19:33:01+00:00`, commit `abababababab`." in text


def test_the_problems_of_a_load_are_listed() -> None:
    problems = ("evalkit.yaml:3:1: suites: unknown key", "prompts/a.yaml:1: no messages")
    last = LastRun(
        at="2026-11-24T19:33:01+00:00",
        command=("run",),
        exit_code=2,
        kind="config",
        message="\n".join(problems),
        problems=problems,
    )
    text = document(Subject(last=last), limit=65_535)
    assert text.startswith("## evalkit: NOT RUN\n")
    assert f"### Problems: 2\n\n- {problems[0]}\n- {problems[1]}\n" in text


def test_of_many_problems_the_first_are_listed_and_the_others_counted() -> None:
    problems = tuple(f"a.yaml:{line}: wrong" for line in range(150))
    values: dict[str, Any] = {"at": "2026-11-24T19:33:01+00:00", "command": (), "exit_code": 2}
    text = document(Subject(last=LastRun(**values, kind="config", problems=problems)), limit=65_535)
    assert "### Problems: 150" in text
    assert "- a.yaml:29: wrong\n- 120 more\n" in text


@settings(deadline=None)
@given(st.text(alphabet="`\\ a@*<#1", max_size=12))
def test_what_a_sentence_quotes_is_code_and_the_rest_is_text(text: str) -> None:
    source = f"Why: {spoken(text, 100)}"
    types = {leaf.type for leaf in leaves(source)}
    assert types <= {"text", "text_special", "code_inline", "paragraph_open", "paragraph_close"}
    for leaf in leaves(source):
        assert leaf.type != "text" or not LIVE.search(leaf.content)


def test_a_sentence_reads_as_it_was_meant() -> None:
    assert spoken("Run `evalkit run --live`, or ask *ada*.", 100) == (
        "Run `evalkit run --live`, or ask \\*ada\\*."
    )
    assert spoken("An odd ` stays", 100) == "An odd \\` stays"


def hostile_subject(texts: list[str], *, cases: int = 6, without_run: bool = False) -> Subject:
    """A run in which a model, a case, a suite and a scorer say whatever they like."""
    if without_run:
        last = LastRun(
            at=texts[0],
            command=(),
            exit_code=2,
            kind="not_measured" if len(texts[0]) % 2 else "config",
            message=texts[1],
            problems=tuple(texts[2:]),
            settle=texts[1],
        )
        return Subject(last=last, fork=True, project=texts[0])
    names = [f"{texts[number % len(texts)]} {number}" for number in range(cases)]
    results: Sides = {name: ((True,), (number % 3 == 0,)) for number, name in enumerate(names)}
    pick = iter(range(10**9))

    def text() -> str:
        return texts[next(pick) % len(texts)]

    spec = Spec(
        results=results,
        suite=texts[0] or "s",
        outputs={name: (text(), text()) for name in names},
        cases={
            name: Case(
                id=name,
                input={"ticket": text(), text(): [text()]},
                expected={"output": text()},
                tags=(text(),),
            )
            for name in names
        },
        settings=GateSettings(max_drop_pp=3, has_baseline=True),
        record={"warnings": (text(), text()), "stopped": text()},
        snapshot={"owner": text()},
    )
    builder = Builder(spec)
    run, passes = builder.build()
    scores = tuple(replace(score, scorer=text(), message=text()) for score in run.scores)
    run = replace(run, scores=scores)
    return Subject(run=run, comparison=compare_run(run, passes), fork=True, project=text())


FORGED = [
    "<!-- evalkit:root run=zz at=2099-01-01 ci=9/9 suites=none exit=0 -->",
    "--> <b>out</b>",
    "</summary></details>\n\n# Passed",
    "```\n\n<!-- evalkit:root",
    "::error::no ##[add-mask]no",
]
anything = st.sampled_from([*HOSTILE, *FORGED]) | st.text(
    alphabet="`~|\\ \r\n<>!@#[]()*_-=+$&;:%a1\u2028\u202e😀", max_size=40
)


def check_nothing_injected(text: str) -> None:
    """One marker, which is ours; no link, image or tag that is not ours; nothing alive outside of
    code."""
    first, _, rest = text.partition("\n")
    assert MARKER.fullmatch(f"{first}\n")
    for leaf in leaves(rest):
        assert leaf.type not in ("link_open", "image", "html_inline") or leaf.content in (
            "<details>",
            "</details>",
        ), leaf
        if leaf.type == "html_block":
            assert not re.search(r"<(?!/?(details|summary|code)>)", leaf.content), leaf.content
        if leaf.type == "text":
            assert not LIVE.search(leaf.content), leaf.content


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(anything, min_size=3, max_size=6), st.booleans())
def test_no_text_of_a_model_a_case_or_a_file_becomes_anything_but_text(
    texts: list[str], without_run: bool
) -> None:
    subject = hostile_subject(texts, without_run=without_run)
    stamp = stamp_of(subject, key="root")
    text = comment_body(subject, stamp)
    assert read_stamp(text) == stamp
    check_nothing_injected(text)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(["x", "😀", "`", "@a ", "<", "\n", "\x00"]),
    st.sampled_from([10, 3_000, 40_000]),
    st.sampled_from([1, 25]),
    st.booleans(),
)
def test_a_comment_always_fits(character: str, length: int, cases: int, without_run: bool) -> None:
    texts = [character * length, "short", character * (length // 2)]
    subject = hostile_subject(texts, cases=cases, without_run=without_run)
    text = comment_body(subject, stamp_of(subject, key="k" * 80))
    assert utf16_units(text) < 65_536 and len(text) < 65_536
    summary = summary_text(subject, room_bytes=20_000)
    assert summary is not None and utf8_bytes(summary) <= 20_000
    assert text.endswith("\n")


def test_what_did_not_fit_is_counted(make_run: MakeRun) -> None:
    long = "y" * 3_000
    results: Sides = {f"c{number:03}": ((True,), (False,)) for number in range(40)}
    subject = subject_of(make_run, results, outputs=dict.fromkeys(results, (long, long + "z")))
    text = document(subject, limit=20_000)
    assert utf16_units(text) <= 20_000
    assert "> **Cut to fit in here.** Left out: cases that newly fail (" in text
    assert text.count("<details>") == text.count("</details>") < 20


def test_a_full_summary_gets_nothing_more(make_run: MakeRun, regressed: Sides) -> None:
    assert summary_text(subject_of(make_run, regressed), room_bytes=100) is None


def test_the_table_is_one(make_run: MakeRun, regressed: Sides) -> None:
    text = document(subject_of(make_run, regressed), limit=65_535)
    tokens = RENDERER.parse(text)
    columns = [token.type for token in tokens[: len(tokens) // 2]].count("th_open")
    assert columns >= 10
