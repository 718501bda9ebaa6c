"""report.html in a real browser: by mouse, by keyboard and on a phone, and it obeys no text."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from evalkit.report.comparison import compare_run
from evalkit.report.html import report_html
from tests.peers.chromium import Chromium, Page, find_browser
from tests.peers.synthetic_run import SyntheticRun
from tests.unit.report.conftest import Builder, Spec
from tests.unit.report.judged_run import Verdicts, judge_part, judged_run

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
HOSTILE = (
    "</script><script>window.obeyed = 1</script>",
    "<!--<script>",
    "<img src=x onerror='window.obeyed = 1'>",
    "<svg onload='window.obeyed = 1'><style>body{display:none}</style>",
    "[a](javascript:window.obeyed=1) ![i](https://example.com/a.png)",
    "left \u202eright \x00 \x1b[31mred",
    "{{window.obeyed=1}} ${window.obeyed=1}",
)
HEBREW = "שלום עולם"
CONTRAST = """
(() => {
  const channels = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => c / 255)
      .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let looked = 0;
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || node.closest("script, option, :disabled")) continue;
    if (!node.getClientRects().length) continue;
    looked += 1;
    const style = getComputedStyle(node);
    const front = light(channels(node instanceof SVGElement ? style.fill : style.color));
    const back = light(behind(node));
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) bad.push([walker.currentNode.data.trim().slice(0, 40), ratio]);
  }
  return { looked, bad };
})()
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    """A browser for all tests here; without one they skip, unless the environment requires it."""
    program = find_browser()
    if program is None:
        if os.environ.get("EVALKIT_REQUIRE_BROWSER"):
            pytest.fail("EVALKIT_REQUIRE_BROWSER is set and no Chromium is on the path")
        pytest.skip("no Chromium on the path")
    running = Chromium(program)
    yield running
    running.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


def write(folder: Path, name: str, made: SyntheticRun, **outputs: str) -> str:
    """The address of a report; `outputs` replace what the candidate said."""
    run = made.stored
    attempts = tuple(
        replace(each, output=outputs[each.case], parsed=None)
        if each.variant == "candidate" and each.case in outputs
        else each
        for each in run.attempts
    )
    run = replace(run, attempts=attempts)
    path = folder / name
    path.write_text(report_html(run, made.compared(run), traces=made.traces), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def report(folder: Path) -> str:
    """200 cases of two trials with everything that a verdict can have."""
    return write(folder, "report.html", SyntheticRun(200, trials=2))


@pytest.fixture
def page(browser: Chromium, report: str) -> Iterator[Page]:
    with browser.open(report) as opened:
        yield opened
        assert opened.errors == []
        assert opened.requests == [report]


@pytest.fixture
def phone(browser: Chromium, report: str) -> Iterator[Page]:
    with browser.open(report, **PHONE) as opened:
        yield opened
        assert opened.errors == []


def listed(page: Page) -> int:
    """How many cases the filters leave."""
    words = str(page.evaluate("document.getElementById('found').textContent"))
    return int(words.split(" ")[0].replace(",", ""))


def shown(page: Page) -> str:
    """The case that is open."""
    return str(page.evaluate("document.getElementById('case-title').textContent"))


def first_rows(page: Page) -> list[str]:
    return list(page.evaluate("[...document.querySelectorAll('.row-id')].map(e => e.textContent)"))


def choose(page: Page, name: str, label: str) -> None:
    """Choose the option that starts with `label`."""
    page.evaluate(
        f"""(() => {{
          const select = document.getElementById("filter-{name}");
          const found = [...select.options].find((o) => o.textContent.startsWith("{label}"));
          select.value = found.value;
          select.dispatchEvent(new Event("change", {{ bubbles: true }}));
        }})()"""
    )
    page.settle()


def type_search(page: Page, text: str, expected: int) -> None:
    page.evaluate("document.getElementById('filter-search').focus()")
    page.send("Input.insertText", text=text)
    page.wait_for(f"document.getElementById('found').textContent.startsWith('{expected} ')")


def test_it_opens_with_no_complaint_and_asks_for_nothing(page: Page) -> None:
    assert page.evaluate("performance.getEntriesByName('evalkit-usable').length") == 1
    assert listed(page) == 200
    assert page.evaluate("performance.getEntriesByType('resource').length") == 0


def test_its_policy_lets_nothing_else_run(browser: Chromium, report: str) -> None:
    with browser.open(report) as page:
        page.evaluate(
            """(() => {
              const script = document.createElement("script");
              script.textContent = "window.obeyed = 1";
              document.body.append(script);
              document.body.insertAdjacentHTML("beforeend", "<b onclick='window.obeyed = 1'>b</b>");
              document.body.lastChild.click();
              document.body.lastChild.style.color = "red";
            })()"""
        )
        page.settle()
        assert page.evaluate("window.obeyed === undefined")
        refused = [error for error in page.errors if "Content Security Policy" in error]
        assert len(refused) == 2


def test_what_broke_comes_first_and_is_open(page: Page) -> None:
    assert shown(page) == first_rows(page)[0]
    words = page.evaluate("document.querySelector('.case-title').innerText")
    assert re.search(r"\d of 2 passed before, \d of 2 passed after", words)


def test_outcomes_filter_and_count(page: Page) -> None:
    counts = page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('.kind')]"
        ".map(e => [e.dataset.kind, Number(e.querySelector('b').textContent)]))"
    )
    assert sum(counts.values()) == 200
    page.click(".kind[data-kind=regression]")
    assert listed(page) == counts["regression"]
    page.click(".kind[data-kind=fix]")
    assert listed(page) == counts["regression"] + counts["fix"]
    assert page.evaluate("document.querySelector('.kind').getAttribute('aria-pressed')") == "true"
    page.click("#filter-reset")
    assert listed(page) == 200


def test_slice_scorer_and_outcome_filter_together(page: Page) -> None:
    choose(page, "tag", "billing")
    billing = listed(page)
    assert 0 < billing < 200
    choose(page, "scorer", "exact")
    both = listed(page)
    assert 0 < both < billing
    page.click(".kind[data-kind=failing]")
    assert 0 < listed(page) < both
    page.evaluate("document.querySelector('#list .row').click()")
    page.settle()
    about = page.evaluate("document.querySelector('.case-about').innerText")
    assert "billing" in about


def test_failure_modes_filter(page: Page) -> None:
    choose(page, "mode", "timeout")
    option = "document.querySelector('#filter-mode option:checked').textContent"
    assert page.evaluate(option) == f"timeout ({listed(page)})"


def test_search_finds_a_case_by_what_was_asked_and_by_id(page: Page) -> None:
    type_search(page, '"ticket 42"', 1)
    assert shown(page) == "case-00042"
    page.press("Escape")
    page.wait_for("document.getElementById('found').textContent.startsWith('200 ')")
    type_search(page, "00017 CASE", 1)
    assert shown(page) == "case-00017"


def test_a_search_for_nothing_says_so(page: Page) -> None:
    type_search(page, "no such words anywhere", 0)
    assert page.evaluate("document.getElementById('nothing').checkVisibility()")
    assert page.evaluate("document.getElementById('next').disabled")


def test_the_counts_of_a_suite_are_links_to_its_cases(page: Page) -> None:
    page.click("a.count[data-kind=fix]")
    assert listed(page) == int(
        page.evaluate("document.querySelector('a.count[data-kind=fix] b').textContent")
    )


def test_a_case_that_a_judge_newly_fails_opens_by_its_link_as_often_as_asked(
    browser: Chromium, folder: Path
) -> None:
    said: Verdicts = {f"c/{number:03} ü": (True, number % 7 > 0) for number in range(60)}
    run, passes = judged_run(
        lambda results, **spec: Builder(Spec(results=results, **spec)).build(), said, judge_part()
    )
    path = folder / "judged.html"
    path.write_text(report_html(run, compare_run(run, passes)), encoding="utf-8")
    with browser.open(path.as_uri()) as page:
        for _ in range(2):
            # at once: a smooth scroll that goes on would take the page back up
            page.evaluate("scrollTo({ top: 0, behavior: 'instant' })")
            page.evaluate("document.querySelectorAll('.judges a')[2].click()")
            page.settle()
            assert shown(page) == "c/014 ü"
            top = "document.getElementById('explorer').getBoundingClientRect().top"
            page.wait_for(f"{top} >= 0 && {top} < 200")
        assert page.errors == []


def test_order_can_be_that_of_the_golden_set_or_of_cost(page: Page) -> None:
    choose(page, "order", "as in the golden set")
    assert first_rows(page)[:3] == ["case-00000", "case-00001", "case-00002"]
    choose(page, "order", "highest cost")
    assert first_rows(page)[:3] != ["case-00000", "case-00001", "case-00002"]


def test_j_and_k_move_from_anywhere(page: Page) -> None:
    rows = first_rows(page)
    page.press("j", "j")
    assert shown(page) == rows[2]
    page.press("k")
    assert shown(page) == rows[1]
    assert page.evaluate("document.getElementById('position').textContent") == "2 of 200"


def test_letters_in_the_search_are_text(page: Page) -> None:
    before = shown(page)
    page.press("/")
    assert page.evaluate("document.activeElement.id") == "filter-search"
    page.press("j", "t", "?")
    assert page.evaluate("document.activeElement.value") == "jt?"
    page.wait_for("document.getElementById('found').textContent.startsWith('0 ')")
    page.press("Escape")
    page.wait_for("document.getElementById('found').textContent.startsWith('200 ')")
    assert shown(page) == before


def test_arrows_move_in_the_list_enter_reads_and_escape_returns(page: Page) -> None:
    page.evaluate("document.getElementById('list').focus()")
    page.press("ArrowDown", "ArrowDown", "ArrowUp", "End")
    assert page.evaluate("document.getElementById('position').textContent") == "200 of 200"
    active = page.evaluate(
        "document.getElementById(document.getElementById('list')"
        ".getAttribute('aria-activedescendant')).getAttribute('aria-posinset')"
    )
    assert active == "200"
    page.press("Home", "Enter")
    assert page.evaluate("document.activeElement.id") == "case-title"
    page.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"


def test_the_help_opens_and_closes_by_key(page: Page) -> None:
    page.press("?")
    assert page.evaluate("document.getElementById('help').open")
    page.press("Escape")
    page.wait_for("!document.getElementById('help').open")


def test_everything_that_can_be_done_can_be_reached_by_tab_and_is_seen_to_have_the_focus(
    page: Page,
) -> None:
    hidden_focus = []
    reached = set()
    for _ in range(60):
        page.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.id || document.activeElement.localName,"
            "getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.add(name)
        if outline == "none" and name != "body":  # where the page ends
            hidden_focus.append(name)
    assert hidden_focus == []
    assert {"filter-search", "filter-tag", "filter-scorer", "filter-order", "list"} <= reached
    assert {"theme", "help-open", "next", "detail"} <= reached


def test_differences_are_marked_by_sign_and_line_as_well_as_colour(page: Page) -> None:
    marks = page.evaluate(
        """["del", "ins"].map((name) => {
          const found = document.querySelector(`#detail pre ${name}`);
          const style = getComputedStyle(found, "::before");
          return [style.content, getComputedStyle(found).textDecorationStyle];
        })"""
    )
    assert marks == [['"−"', "dotted"], ['"+"', "solid"]]


def test_every_outcome_is_a_word_beside_its_symbol(page: Page) -> None:
    wordless = page.evaluate(
        "[...document.querySelectorAll('.mark, .kind, .count')]"
        ".filter(e => !/[a-z]/i.test(e.textContent)).length"
    )
    assert wordless == 0


def test_a_case_shows_scores_cost_and_the_trace_of_both_sides(page: Page) -> None:
    words = page.evaluate("document.getElementById('detail').innerText")
    for expected in ("Asked", "Expected", "Said", "Tool calls", "Scores", "What it took"):
        assert expected in words
    assert words.count("policies.pii_redaction") == 2
    assert 'intent: expected "' in words
    assert "broke" in words
    assert "list price" in words
    assert "goldensets/support/v1/cases.jsonl:" in words


def test_another_trial_can_be_chosen(page: Page) -> None:
    first = "document.querySelector('#detail .side > pre').textContent"
    before = page.evaluate(first)
    page.evaluate(
        """(() => {
          const select = document.querySelector("select[aria-label='trial of baseline']");
          select.value = [...select.options].find((o) => !o.selected).value;
          select.dispatchEvent(new Event("change"));
        })()"""
    )
    page.settle()
    assert page.evaluate(first) != before
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "trial of baseline"


def test_the_address_names_the_case_and_opens_it(browser: Chromium, report: str) -> None:
    with browser.open(f"{report}#case=support%2Fcase-00123") as page:
        assert shown(page) == "case-00123"
        page.press("j")
        assert "case=support%2F" in page.evaluate("location.hash")


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_no_width_scrolls_sideways(browser: Chromium, report: str, width: int) -> None:
    with browser.open(report, width=width, height=844) as page:
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        for action in ("1", "document.querySelector('#list .row').click()"):
            page.evaluate(action)
            page.settle()
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_a_phone_a_case_takes_the_place_of_the_list(phone: Page) -> None:
    assert phone.evaluate("document.getElementById('list').checkVisibility()")
    assert not phone.evaluate("document.getElementById('detail').checkVisibility()")
    name = first_rows(phone)[1]
    phone.click("#list .row:nth-child(2)")
    assert shown(phone) == name
    assert not phone.evaluate("document.getElementById('list').checkVisibility()")
    top = phone.evaluate("document.getElementById('case-title').getBoundingClientRect().top")
    assert 0 < top < 400
    phone.click("#next")
    assert shown(phone) == first_rows(phone)[2] or shown(phone) != name
    phone.click("#back")
    assert phone.evaluate("document.getElementById('list').checkVisibility()")
    assert phone.evaluate("document.activeElement.id") == "list"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_all_text_has_the_contrast_that_aa_asks(
    browser: Chromium, report: str, theme: str, width: int
) -> None:
    with browser.open(report, width=width, height=900, prefers_color_scheme=theme) as page:
        page.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        page.evaluate("document.querySelector('#list .row').click()")
        page.settle()
        found = page.evaluate(CONTRAST)
        assert found["looked"] > 300
        assert found["bad"] == []


def test_the_theme_is_the_systems_until_one_is_chosen(browser: Chromium, report: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    with browser.open(report, prefers_color_scheme="dark") as page:
        dark = page.evaluate(ground)
        page.emulate(prefers_color_scheme="light")
        light = page.evaluate(ground)
        assert dark != light
        page.press("t", "t")
        assert page.evaluate("document.getElementById('theme-name').textContent") == "dark"
        assert page.evaluate(ground) == dark
        page.press("t")
        assert page.evaluate(ground) == light


def test_motion_is_left_out_for_who_asks(browser: Chromium, report: str) -> None:
    with browser.open(report, prefers_reduced_motion="reduce") as page:
        style = "getComputedStyle(document.documentElement).scrollBehavior"
        assert page.evaluate(style) == "auto"


def test_without_scripts_what_broke_is_readable(browser: Chromium, report: str) -> None:
    with browser.open(report, scripts=False) as page:
        words = page.evaluate("document.body.innerText")
        assert "Scripts do not run here" in words
        assert re.search(r"support: \d+ broke", words)
        assert not page.evaluate("document.getElementById('explorer').checkVisibility()")
        assert page.evaluate("document.querySelector('.static-case').checkVisibility()")


def test_on_paper_what_broke_is_written_out_and_nothing_is_folded(page: Page) -> None:
    assert not page.evaluate("document.querySelector('.static-case').checkVisibility()")
    page.emulate(media="print", prefers_color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("document.querySelector('.static-case').checkVisibility()")
    assert not page.evaluate("document.getElementById('explorer').checkVisibility()")
    assert page.evaluate("document.querySelectorAll('main details:not([open])').length") == 0
    ink = page.evaluate("getComputedStyle(document.body).color.match(/\\d+/g).map(Number)")
    assert max(ink) < 60  # dark on white, whatever the system's theme
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate("document.querySelectorAll('main details:not([open])').length") > 0


@pytest.fixture(scope="module")
def hostile(folder: Path) -> str:
    made = SyntheticRun(40)
    outputs = {f"case-{number:05}": text for number, text in enumerate(HOSTILE)}
    outputs["case-00010"] = HEBREW
    outputs["case-00011"] = "word " * 200_000
    return write(folder, "hostile.html", made, **outputs)


def said(page: Page, case: str) -> str:
    page.evaluate(f"location.hash = '#case=support%2F{case}'")
    page.wait_for(f"document.getElementById('case-title').textContent === '{case}'")
    pre = "[...document.querySelectorAll('#detail .side > pre')]"
    return str(page.evaluate(f"{pre}.map(e => e.textContent).at(-1)"))


def test_no_text_of_a_model_is_obeyed(browser: Chromium, hostile: str) -> None:
    with browser.open(hostile) as page:
        for number, text in enumerate(HOSTILE):
            shown_text = said(page, f"case-{number:05}")
            escaped = text.replace("\u202e", "\\u202e").replace("\x00", "\\x00")
            assert shown_text == escaped.replace("\x1b", "\\x1b")
        assert page.evaluate("window.obeyed === undefined")
        assert page.evaluate("document.querySelectorAll('img, iframe, object, embed').length") == 0
        links = page.evaluate(
            "[...document.querySelectorAll('[href]')].map(e => e.getAttribute('href'))"
        )
        assert all(link.startswith("#") or link == "data:," for link in links)
        assert page.requests == [hostile]
        assert page.errors == []


def test_a_text_that_runs_from_right_to_left_does(browser: Chromium, hostile: str) -> None:
    with browser.open(hostile) as page:
        assert said(page, "case-00010") == HEBREW
        pre = "[...document.querySelectorAll('#detail .side > pre')].at(-1)"
        assert page.evaluate(f"getComputedStyle({pre}).direction") == "rtl"


def test_a_text_of_a_megabyte_is_clipped_and_says_so(browser: Chromium, hostile: str) -> None:
    with browser.open(hostile) as page:
        assert len(said(page, "case-00011")) <= 20_000
        assert "about 980,000 more characters" in page.evaluate(
            "document.querySelector('.clipped').textContent"
        )


def test_of_five_thousand_cases_the_page_lists_what_tells_something_and_says_so(
    browser: Chromium, folder: Path
) -> None:
    address = write(folder, "large.html", SyntheticRun(5_000))
    with browser.open(address) as page:
        most = listed(page)
        assert 500 <= most <= 2_000
        text = str(page.evaluate("document.body.textContent"))
        assert f"{5_000 - most:,}" in text, "how many it leaves out"
        rows: Any = page.evaluate("document.querySelectorAll('.row').length")
        assert rows < 60
        page.evaluate("document.getElementById('list').focus()")
        page.press("End")
        assert page.evaluate("document.querySelectorAll('.row').length") < 60
        position = page.evaluate("document.getElementById('position').textContent")
        assert position == f"{most} of {most}"
        assert page.errors == []
        assert page.requests == [address]
