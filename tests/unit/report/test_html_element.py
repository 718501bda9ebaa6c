"""Only what is marked as markup is markup."""

from evalkit.report.html.element import Markup, element, escape, join


def test_strings_are_escaped_and_elements_are_not() -> None:
    assert element("p", "a < b & c", element("b", "d")) == "<p>a &lt; b &amp; c<b>d</b></p>"


def test_attributes_are_escaped_even_when_they_are_markup() -> None:
    assert element("a", href='"><b>', title=Markup('"')) == (
        '<a href="&quot;&gt;&lt;b&gt;" title="&quot;"></a>'
    )


def test_attributes_are_named_as_html_names_them() -> None:
    made = element("th", class_="x", aria_label="y", hidden=True, open=False, id=None, tabindex=0)
    assert made == '<th class="x" aria-label="y" hidden tabindex="0"></th>'


def test_children_may_be_nested_and_missing() -> None:
    assert join("a", None, ["b", (element("br"), "c")]) == "ab<br>c"


def test_what_a_terminal_or_a_reader_would_be_fooled_by_is_written_out() -> None:
    assert escape("a\u202eb\x1b[1m\x00") == "a\\u202eb\\x1b[1m\\x00"


def test_joining_markup_with_a_string_gives_a_string_that_is_escaped_again() -> None:
    """So that forgetting to escape is seen, not obeyed."""
    assert escape(Markup("<b>") + "<i>") == "&lt;b&gt;&lt;i&gt;"
