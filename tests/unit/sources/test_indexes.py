"""Indexes over folders: what is read, what is refused, and what changes a digest."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalkit.config.indexes import Index
from evalkit.errors import ConfigError
from evalkit.records.index import IndexContent
from evalkit.sources.indexes import MAX_FILE_BYTES, is_of_index, read_index
from evalkit.sources.tree import WorkingTree

Write = Callable[..., None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(path: str, content: str | bytes = "Some text.") -> None:
        target = tmp_path / "project" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    return write


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., IndexContent]:
    def read(**keys: Any) -> IndexContent:
        index = Index.model_validate({"folder": "docs/kb", **keys})
        return read_index(WorkingTree(tmp_path / "project"), "kb", index)

    return read


def refused(read: Callable[..., IndexContent], **keys: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        read(**keys)
    return str(caught.value)


def test_chunks_are_named_by_file_and_place(write: Write, read: Any) -> None:
    write("docs/kb/b.txt", "second")
    write("docs/kb/a/deep.md", "# One\n\nx\n\n# Two\n\ny")
    write("docs/kb/picture.png", b"\x89PNG\0")
    write("docs/kb/.hidden.md", "no")
    content = read()
    assert [document.id for document in content.documents] == [
        "a/deep.md#1",
        "a/deep.md#2",
        "b.txt#1",
    ]
    assert list(content.files) == ["docs/kb/a/deep.md", "docs/kb/b.txt"]
    assert {document.index for document in content.documents} == {"kb"}


@pytest.mark.parametrize(
    ("glob", "names"),
    [
        ("*.md", ["a.md"]),
        ("**/*.md", ["a.md", "x/b.md", "x/y/c.md"]),
        ("x/**", ["x/b.md", "x/y/c.md"]),
        ("x/?.md", ["x/b.md"]),
        (["a.*", "x/y/*"], ["a.md", "x/y/c.md"]),
    ],
)
def test_globs_choose_files(write: Write, read: Any, glob: Any, names: list[str]) -> None:
    every = ("a.md", "x/b.md", "x/y/c.md")
    for name in every:
        write(f"docs/kb/{name}")
    index = Index.model_validate({"folder": "docs/kb", "glob": glob})
    assert [path.removeprefix("docs/kb/") for path in read(glob=glob).files] == names
    assert [
        n for n in ("a.md", "x/b.md", "x/y/c.md") if is_of_index(index, f"docs/kb/{n}")
    ] == names


def test_a_folder_that_is_not_there_is_refused(write: Write, read: Any) -> None:
    write("evalkit.yaml")
    assert "there is no folder docs/kb" in refused(read)


def test_a_folder_without_a_file_of_the_kind_is_refused(write: Write, read: Any) -> None:
    write("docs/kb/a.rst")
    assert "no file in docs/kb is named as by **/*.md, **/*.txt" in refused(read)


def test_files_without_any_text_are_refused(write: Write, read: Any) -> None:
    write("docs/kb/a.md", "")
    write("docs/kb/b.md", "---\ntitle: B\n---\n  \n")
    assert "the 2 files in docs/kb hold no text" in refused(read)


@pytest.mark.parametrize("content", [b"a\0b", b"\xff\xfe\x00", "é".encode("latin-1")])
def test_a_binary_file_is_refused_by_name(write: Write, read: Any, content: bytes) -> None:
    write("docs/kb/a.md")
    write("docs/kb/b.md", content)
    assert "docs/kb/b.md: is no text in UTF-8" in refused(read)


def test_a_huge_file_is_refused_by_name(write: Write, read: Any) -> None:
    write("docs/kb/a.md", b"x" * (MAX_FILE_BYTES + 1))
    assert "docs/kb/a.md: is larger than 2 MB" in refused(read)


def test_a_symlink_out_of_the_project_is_refused(write: Write, read: Any, tmp_path: Path) -> None:
    write("docs/kb/a.md")
    (tmp_path / "secret.md").write_text("secret")
    os.symlink(tmp_path / "secret.md", tmp_path / "project/docs/kb/b.md")
    assert "docs/kb/b.md: is a symlink that leads out of the project" in refused(read)


def test_a_folder_that_contains_itself_is_refused(write: Write, read: Any, tmp_path: Path) -> None:
    write("docs/kb/a.md")
    os.symlink(tmp_path / "project/docs/kb", tmp_path / "project/docs/kb/again")
    assert "nested deeper than 16 folders" in refused(read)


def test_front_matter_is_no_text_and_says_who_may_read(write: Write, read: Any) -> None:
    write("docs/kb/a.md", "---\ntitle: A page\nscopes: [legal, support]\n---\n# A\n\nText.")
    write("docs/kb/b.md", "---\nno front matter, a line above\n")
    content = read()
    assert content.documents[0].text == "# A\n\nText."
    assert [document.scopes for document in content.documents] == [("legal", "support"), ()]
    assert content.scopes == {"docs/kb/a.md": ("legal", "support")}


@pytest.mark.parametrize(
    "matter", ["scopes: legal", "scopes: []", "scopes: [1]", "scope: [legal]", "a: [", "- legal"]
)
def test_front_matter_that_may_mean_a_scope_is_never_read_as_none(
    write: Write, read: Any, matter: str
) -> None:
    write("docs/kb/a.md", f"---\n{matter}\n---\nText.")
    assert "docs/kb/a.md:" in refused(read)


def test_a_digest_tells_files_chunking_scopes_and_ranking_apart(write: Write, read: Any) -> None:
    write("docs/kb/a.md", "one")
    first = read()
    assert read().digest == first.digest
    digests = {first.digest, read(chunk={"max_chars": 60}).digest, read(scopes=["x"]).digest}
    write("docs/kb/a.md", "two")
    digests.add(read().digest)
    write("docs/kb/b.md", "two")
    digests.add(read().digest)
    assert len(digests) == 5


def test_what_is_beside_the_globs_changes_no_digest(write: Write, read: Any) -> None:
    write("docs/kb/a.md", "one")
    first = read().digest
    write("docs/kb/notes.rst", "other")
    assert read().digest == first
