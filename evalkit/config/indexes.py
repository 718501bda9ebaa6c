"""`indexes` and `scopes`: where retrieval looks, and who may read what."""

from posixpath import normpath
from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.base import URL, VARIABLE, Part, ProjectPath

Scope = Annotated[str, Field(min_length=1, max_length=100)]
ScopeList = Annotated[list[Scope], Field(min_length=1)]

DEFAULT_GLOBS = ("**/*.md", "**/*.txt")
DEFAULT_MAX_CHARS = 1200


class Chunking(Part):
    """How the files of a folder are cut. A Markdown heading always begins a new chunk."""

    max_chars: Annotated[
        int | None,
        Field(ge=50, description="The longest chunk, in characters. Default: 1200."),
    ] = None
    max_tokens: Annotated[
        int | None,
        Field(ge=20, description="The longest chunk, in tokens (estimated: 3 bytes each)."),
    ] = None
    overlap: Annotated[
        int,
        Field(
            ge=0,
            description="How much of the end of a chunk the next one of its section repeats, in "
            "the same unit.",
        ),
    ] = 0

    @model_validator(mode="after")
    def _fits(self) -> "Chunking":
        if self.max_chars is not None and self.max_tokens is not None:
            raise ValueError("a chunk has one limit: max_chars or max_tokens")
        limit = self.max_tokens or self.max_chars or DEFAULT_MAX_CHARS
        if self.overlap * 2 > limit:
            raise ValueError(f"the overlap is more than half of a chunk ({limit})")
        return self


class HttpIndex(Part):
    """A retrieval service of your own, asked by POST."""

    url: Annotated[str, Field(pattern=URL, description="Where queries are posted to.")]
    key_env: Annotated[
        str | None,
        Field(
            pattern=VARIABLE,
            description="The environment variable that holds the key. Keys never stand here.",
        ),
    ] = None
    key_header: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9\-]+$",
            description="The header that carries the key; in Authorization it is a bearer token.",
        ),
    ] = "Authorization"
    timeout_s: Annotated[
        float, Field(gt=0, le=600, description="How long one answer may take, in seconds.")
    ] = 10.0


class Index(Part):
    """Where the documents of one index come from: one of `documents`, `folder` and `http`."""

    documents: Annotated[
        Literal["case"] | None,
        Field(
            description="case: what each case of the golden set brings along (or the program that "
            "opens a session). So is an index that is not declared."
        ),
    ] = None
    folder: Annotated[
        ProjectPath | None,
        Field(description="A folder of the project with text or Markdown files."),
    ] = None
    glob: Annotated[
        str | list[str] | None,
        Field(description="Which of its files. Default: **/*.md and **/*.txt."),
    ] = None
    chunk: Annotated[Chunking | None, Field(description="How its files are cut into chunks.")] = (
        None
    )
    rank: Annotated[
        Literal["bm25", "embedding"] | None,
        Field(
            description="How chunks are held against a query: by words (bm25, the default) or by "
            "meaning (embedding; needs the extra `embeddings`)."
        ),
    ] = None
    http: Annotated[HttpIndex | None, Field(description="A retrieval service.")] = None
    scopes: Annotated[
        ScopeList | None,
        Field(
            description="Only identities with one of these scopes may read the index. Without it "
            "everybody may whom the route lets."
        ),
    ] = None

    @model_validator(mode="after")
    def _one_source(self) -> "Index":
        given = [key for key in ("documents", "folder", "http") if getattr(self, key) is not None]
        if len(given) != 1:
            raise ValueError("an index has one of `documents: case`, `folder` and `http`")
        if self.folder is None:
            foreign = [key for key in ("glob", "chunk", "rank") if getattr(self, key) is not None]
            if foreign:
                raise ValueError(f"{', '.join(foreign)} belongs to an index over a folder")
        if self.glob in ("", []):
            raise ValueError("glob names no file")
        if self.folder is not None and self.root == ".":
            raise ValueError("the folder of an index is one below evalkit.yaml, not the project's")
        return self

    @property
    def root(self) -> str:
        """Its folder as a path in its shortest form; `.` without one."""
        return normpath(self.folder or ".")

    @property
    def globs(self) -> tuple[str, ...]:
        """The patterns of its files."""
        if self.glob is None:
            return DEFAULT_GLOBS
        return (self.glob,) if isinstance(self.glob, str) else tuple(self.glob)

    @property
    def chunking(self) -> Chunking:
        """How it is cut, defaults filled in."""
        chunk = self.chunk or Chunking()
        if chunk.max_chars is None and chunk.max_tokens is None:
            return chunk.model_copy(update={"max_chars": DEFAULT_MAX_CHARS})
        return chunk

    @property
    def ranking(self) -> Literal["bm25", "embedding"]:
        """How it is ranked."""
        return self.rank or "bm25"


_NOTHING: frozenset[str] = frozenset()


class Scopes(Part):
    """Which scopes an identity has: those of its team and those of its organisation together."""

    teams: Annotated[dict[str, list[Scope]], Field(description="Scopes by `identity.team`.")] = {}
    orgs: Annotated[dict[str, list[Scope]], Field(description="Scopes by `identity.org`.")] = {}

    def of(self, *, team: str, org: str) -> frozenset[str]:
        """What an identity may read; nothing for one that is not listed."""
        if not (self.teams or self.orgs):
            return _NOTHING
        return frozenset([*self.teams.get(team, ()), *self.orgs.get(org, ())])
