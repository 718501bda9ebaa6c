"""report.md: fits a comment, says what it left out, and carries no markup of a model."""

import re

import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace

from evalkit.gate import GateSettings
from evalkit.records.case import Case
from evalkit.report.comparison import compare_run
from evalkit.report.diff import diff_markdown
from evalkit.report.markdown import COMMENT_LIMIT, MARKER, report_markdown
from tests.unit.report.conftest import MakeRun, Results
from tests.unit.report.test_markup import HOSTILE

Sides = dict[str, tuple[Results, Results]]
RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_the_report_of_a_regression(make_run: MakeRun, regressed: Sides) -> None:
    run, passes = make_run(dict(list(regressed.items())[:1] + list(regressed.items())[24:]))
    text = report_markdown(run, compare_run(run, passes))
    assert text.startswith(
        """<!-- evalkit:report -->
## evalkit: INCONCLUSIVE (exit 3)

routing: the pass rate fell 1.03 pp; a drop of 3 pp is neither shown nor ruled out.

### `routing`: INCONCLUSIVE

97 cases of `routing@v1`, owner `ml-platform`

|  | `baseline` | `candidate` | change |
|:--|--:|--:|--:|
| prompt | `routing@v1` | `routing@v2` |  |
| models | `tiny` | `tiny` |  |
| pass rate | 100.0 % | 99.0 % | -1.03 pp |
| tokens/case | 1,004 | 404 | -59.8 % |
| USD/case | \\$0.0010 | \\$0.000404 | -59.8 % |
| USD/pass | \\$0.0010 | \\$0.000408 | -59.3 % |
| replies | 97 recorded | 97 recorded |  |

- **INCONCLUSIVE** `drop`: the pass rate fell 1.03 pp; a drop of 3 pp is neither shown nor ruled out
"""
    )
    assert (
        """#### Regressions: 1

<details>
<summary><code>case-001</code> passed, now fails: <code>exact</code></summary>

```text
input     ticket: Where is the invoice of case-001?
expected  output: payment
```

```diff
- payment
+ wish
```

- broke: `exact` `expected "payment", found "wish"`
- cost: `$0.0010 → $0.000404 · 1,004 → 404 tokens · tiny (recording)`
- in `goldensets/routing/v1/cases.jsonl:1`

</details>
"""
        in text
    )
    assert text.endswith(
        "Run `20261124T193301Z-3f2a`, commit `3f2a1c9d5e6f`, 194 attempts in 3.2 s, \\$0 spent. "
        "Next: `evalkit diff 20261124T193301Z-3f2a` · "
        "`evalkit show 20261124T193301Z-3f2a case-001`\n"
    )


@pytest.mark.parametrize("filling", ["x", "漢", "👩‍💻", "`", "\x1b", "&", "\n"])
def test_the_report_fits_a_comment_and_says_what_it_left_out(
    make_run: MakeRun, filling: str
) -> None:
    results: Sides = {f"case-{n}": ((True,), (False,)) for n in range(300)}
    cases = {name: Case(id=name, input={"ticket": filling * 5_000}) for name in results}
    outputs = dict.fromkeys(results, (filling * 5_000, filling * 4_000))
    run, passes = make_run(results, cases=cases, outputs=outputs)
    text = report_markdown(run, compare_run(run, passes))
    assert utf16_length(text) <= COMMENT_LIMIT
    assert "#### Regressions: 300" in text
    listed = text.count("<details>\n<summary><code>case-")
    assert listed >= 3
    if "Cut to fit" in text:
        left_out = re.search(r"cases of “Regressions” \((\d+)\)", text)
        assert left_out is not None
        assert listed + int(left_out.group(1)) == 25
    else:
        assert listed == 25
        assert "275 more are not listed here." in text


def test_a_small_limit_keeps_the_verdict_and_counts_the_rest(
    make_run: MakeRun, regressed: Sides
) -> None:
    run, passes = make_run(regressed)
    text = report_markdown(run, compare_run(run, passes), limit=4_000)
    assert utf16_length(text) <= 4_000
    assert "## evalkit: FAIL (exit 1)" in text
    assert "Cut to fit into a comment" in text
    assert "`evalkit diff 20261124T193301Z-3f2a --all` shows everything" in text


def test_a_whole_report_claims_no_cut(make_run: MakeRun, regressed: Sides) -> None:
    run, passes = make_run(regressed)
    assert "Cut to fit" not in report_markdown(run, compare_run(run, passes))


def markup_of(text: str) -> set[str]:
    """What a renderer makes of the text, apart from code: token types and HTML tags."""
    found = set()
    for token in RENDERER.parse(text):
        for leaf in token.children if token.children is not None else [token]:
            found.add(leaf.type)
            if leaf.type in ("html_block", "html_inline"):
                found |= set(re.findall(r"<(/?\w+|!--)", leaf.content))
    return found


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_models_text_adds_no_markup(make_run: MakeRun, regressed: Sides, hostile: str) -> None:
    def reports(text: str) -> list[str]:
        case = Case(
            id=f"id {text}",
            input={f"key {text}": text},
            expected={"output": text},
            tags=(text,),
        )
        rest = dict(list(regressed.items())[1:])
        run, passes = make_run(
            {case.id: ((True,), (False,)), **rest},
            cases={case.id: case},
            outputs={case.id: (f"before {text}", f"after {text}")},
            attempts={
                ("routing", "candidate", case.id, 1): {"error": text, "rule": text},
            },
            record={"warnings": (text,), "why": (text,)},
            snapshot={"owner": text},
        )
        comparison = compare_run(run, passes)
        return [report_markdown(run, comparison), diff_markdown(comparison, all_cases=True)]

    for harmless, injected in zip(reports("plain words"), reports(hostile), strict=True):
        assert markup_of(injected) == markup_of(harmless)
        assert injected.count(MARKER) == harmless.count(MARKER)


def test_a_scripted_provider_is_called_scripted_in_the_title(
    make_run: MakeRun, regressed: Sides
) -> None:
    run, passes = make_run(regressed, origin="scripted")
    comparison = compare_run(run, passes)
    report = report_markdown(run, comparison)
    assert "## evalkit: FAIL (exit 1) on scripted replies" in report
    assert "measure no model" in report
    assert "120 scripted" in report
    assert "measure no model" in diff_markdown(comparison)


def test_an_unfinished_run_names_the_command_that_goes_on(make_run: MakeRun) -> None:
    run, passes = make_run(
        {"a": ((True,), (None,))},
        state="incomplete",
        exit_code=4,
        record={"why": ("The budget is exhausted. More of this.",)},
    )
    text = report_markdown(run, compare_run(run, passes))
    assert "## evalkit: INCOMPLETE (exit 4)\n\nThe budget is exhausted." in text
    assert "`evalkit run --resume 20261124T193301Z-3f2a`" in text


def test_without_a_baseline_failing_cases_are_listed(make_run: MakeRun) -> None:
    results: Sides = {f"c{n}": ((), (n > 3,)) for n in range(10)}
    settings = GateSettings(max_drop_pp=None, min_pass_rate=0.9, has_baseline=False)
    run, passes = make_run(results, has_baseline=False, settings=settings)
    text = report_markdown(run, compare_run(run, passes))
    assert "routing: the candidate passes 60.0 %, 90.0 % is required." in text
    assert "#### Failing: 4" in text
    assert "<code>c0</code> fails: <code>exact</code>" in text


def test_the_overview_of_a_run_that_stopped_shows_no_change_that_nobody_measured(
    make_run: MakeRun,
) -> None:
    runs = []
    for suite, made in (("one", 10), ("two", 0)):
        sides: Sides = {f"c{n}": ((True,), (True,)) for n in range(40)}
        variants = ("baseline", "candidate")
        gone = {(suite, side, case, 1) for side in variants for case in list(sides)[made:]}
        runs.append(make_run(sides, suite=suite, missing=frozenset(gone), state="interrupted"))
    (run, passes), (other, other_passes) = runs
    both = replace(
        run,
        record=replace(run.record, suites=(*run.record.suites, *other.record.suites)),
        snapshots=(*run.snapshots, *other.snapshots),
        attempts=(*run.attempts, *other.attempts),
    )
    text = report_markdown(both, compare_run(both, {**passes, **other_passes}))
    assert "| `one` |  | 100.0 % of 10 | 100.0 % of 10 |  | 0 | 0 | 40 |\n" in text
    assert "| `two` |  | – | – |  | 0 | 0 | 40 |\n" in text
    assert "#### Without a result of `one`: 30, never attempted\n" in text


def test_the_slices_say_what_their_columns_mean(make_run: MakeRun) -> None:
    case = Case(id="a", input={"ticket": "Hi"}, expected={"output": "x"}, tags=("short",))
    run, passes = make_run({"a": ((True,), (None,))}, cases={"a": case})
    text = report_markdown(run, compare_run(run, passes))
    assert "\nb: newly failing, c: newly passing; ?: no result on a side; rates are over" in text
