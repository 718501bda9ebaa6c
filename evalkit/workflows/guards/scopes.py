"""Who may read more than before: scopes of indexes, of their files, and of identities.

Pure comparisons, in sentences; `guarding` decides what they are held against.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from evalkit.config.indexes import Index
from evalkit.config.model import Config
from evalkit.config.problems import listed
from evalkit.records.index import IndexContent


def wider_scopes(
    old: Config,
    new: Config,
    *,
    indexes: Collection[str],
    before: Mapping[str, IndexContent],
    after: Mapping[str, IndexContent],
) -> Iterable[str]:
    """What identities may read that they could not, of the named indexes, a sentence each."""
    for name in indexes:
        was, now = old.indexes.get(name), new.indexes.get(name)
        if was is not None and was.scopes is not None:
            yield from _wider(f"index {name}", was.scopes, _scopes(now))
        if name in before and name in after:
            yield from _wider_files(before[name], after[name])
    if indexes:
        yield from _granted("team", old.scopes.teams, new.scopes.teams)
        yield from _granted("organisation", old.scopes.orgs, new.scopes.orgs)


def _scopes(index: Index | None) -> Sequence[str]:
    return () if index is None or index.scopes is None else index.scopes


def _wider(what: str, old: Collection[str], new: Collection[str]) -> Iterable[str]:
    if not new:
        yield f"{what} is no longer kept to {listed(old)}"
    elif more := [scope for scope in new if scope not in old]:
        yield f"{what} is open to {listed(more)} as well"


def _wider_files(old: IndexContent, new: IndexContent) -> Iterable[str]:
    """Files that are there under their old names; one under a new name is new content."""
    for path, scopes in old.scopes.items():
        if path in new.files:
            yield from _wider(path, scopes, new.scopes.get(path, ()))


def _granted(
    noun: str, old: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    for name, scopes in new.items():
        if more := [scope for scope in scopes if scope not in old.get(name, ())]:
            yield f"{noun} {name} has the scopes {listed(more)} as well"
