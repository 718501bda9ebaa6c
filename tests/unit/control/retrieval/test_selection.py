"""What of the documents found is used: scopes, then how many, then how long."""

from evalkit.control.retrieval.retriever import readable
from evalkit.control.retrieval.selection import Selection, select
from evalkit.records.case import Document


def doc(name: str, text: str = "x" * 30, *scopes: str) -> Document:
    return Document(id=name, index="kb", text=text, scopes=scopes)


def chosen(*found: Document, chunks: int | None = None, tokens: int | None = None) -> Selection:
    return select(
        found,
        readable=lambda document: readable(document, {"support"}),
        max_chunks=chunks,
        max_tokens=tokens,
    )


def ids(documents: tuple[Document, ...]) -> str:
    return "".join(document.id for document in documents)


def test_without_limits_all_is_kept() -> None:
    assert ids(chosen(doc("a"), doc("b")).kept) == "ab"


def test_max_chunks_counts_only_what_may_be_read() -> None:
    found = (doc("a", "x", "legal"), doc("b"), doc("c", "x", "legal", "support"), doc("d"))
    selection = chosen(*found, chunks=2)
    assert (ids(selection.kept), ids(selection.out_of_scope), ids(selection.too_many)) == (
        "bc",
        "a",
        "d",
    )


def test_max_tokens_ends_with_the_first_that_does_not_fit() -> None:
    selection = chosen(doc("a"), doc("b", "x" * 60), doc("c", "x"), tokens=20)
    assert (ids(selection.kept), ids(selection.too_long), selection.tokens) == ("a", "bc", 10)


def test_exactly_max_tokens_fits() -> None:
    assert ids(chosen(doc("a"), doc("b"), tokens=20).kept) == "ab"


def test_zero_tokens_let_nothing_through() -> None:
    assert chosen(doc("a"), tokens=0).kept == ()
