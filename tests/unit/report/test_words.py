"""Word diffs: lossless, marked by word, and bounded on long texts."""

from hypothesis import given
from hypothesis import strategies as st

from evalkit.report.words import Segment, diff_words, shorten

texts = st.text(alphabet='ab c\n"{}é漢', max_size=60)


def joined(segments: tuple[Segment, ...]) -> str:
    return "".join(text for text, _ in segments)


@given(texts, texts)
def test_the_segments_of_a_side_are_its_text(before: str, after: str) -> None:
    old, new = diff_words(before, after)
    assert (joined(old), joined(new)) == (before, after)


@given(texts, texts)
def test_what_is_not_marked_is_the_same_on_both_sides(before: str, after: str) -> None:
    old, new = diff_words(before, after)
    kept_old = "".join(text for text, changed in old if not changed)
    kept_new = "".join(text for text, changed in new if not changed)
    assert kept_old == kept_new


def test_only_the_changed_word_is_marked() -> None:
    old, new = diff_words("Please cancel my plan today", "Please renew my plan today")
    assert old == (("Please ", False), ("cancel", True), (" my plan today", False))
    assert new == (("Please ", False), ("renew", True), (" my plan today", False))


def test_texts_without_a_common_word_are_changed_as_a_whole() -> None:
    assert diff_words('"cancel"', '"wish"') == ((('"cancel"', True),), (('"wish"', True),))


def test_neighbouring_changed_words_are_one_change() -> None:
    old, _ = diff_words("a red fox ran", "a blue cat ran")
    assert old == (("a ", False), ("red fox", True), (" ran", False))


def test_a_full_stop_between_two_changes_is_no_common_ground() -> None:
    old, new = diff_words(
        "Hello. We look into it. Bye all", "Hello. Done for you. See you. Bye all"
    )
    assert old == (("Hello. ", False), ("We look into it", True), (". Bye all", False))
    assert new == (("Hello. ", False), ("Done for you. See you", True), (". Bye all", False))


def test_long_texts_that_differ_everywhere_are_not_matched_word_by_word() -> None:
    before = "start " + " ".join(f"a{n}" for n in range(20_000)) + " end"
    after = "start " + " ".join(f"b{n}" for n in range(20_000)) + " end"
    old, _ = diff_words(before, after)
    assert [changed for _, changed in old] == [False, True, False]


def test_long_equal_stretches_are_shortened_beside_the_change() -> None:
    same = "word " * 40
    old, _ = diff_words(f"{same}red {same}", f"{same}blue {same}")
    shown = joined(shorten(old, context=20))
    assert shown == "…word word word red word word word…"


def test_changed_words_are_never_shortened() -> None:
    assert shorten((("x" * 500, True),), context=10) == (("x" * 500, True),)
