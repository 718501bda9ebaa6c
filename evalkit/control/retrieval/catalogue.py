"""The indexes that the sessions of a route can ask, and who may read them."""

from collections.abc import Collection, Mapping

import msgspec

from evalkit.config.indexes import Scopes
from evalkit.control.retrieval.retriever import Retriever
from evalkit.control.ruling import Ruling
from evalkit.errors import ConfigError, Problem


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """`shared` are the indexes that every session asks alike; one that is not among them is made
    of the documents that a case brings along. `scopes` are who may read an index, by its name;
    `unread` are indexes over folders whose files nobody read for this route."""

    shared: Mapping[str, Retriever] = msgspec.field(default_factory=dict)
    scopes: Mapping[str, Collection[str]] = msgspec.field(default_factory=dict)
    unread: Collection[str] = ()
    granted: Scopes = msgspec.field(default_factory=Scopes)

    def retriever(self, index: str) -> Retriever | None:
        """What a shared index is asked through, None for one that cases bring along.

        Raises ConfigError for one that is not there to be asked: it must not look empty.
        """
        if index in self.unread:
            message = f"index {index} is read, and what is tested does not say so beforehand"
            raise ConfigError([Problem(key=f"indexes.{index}", message=message)])
        return self.shared.get(index)

    def readable_by(self, identity: Mapping[str, str]) -> frozenset[str]:
        """What an identity may read; nothing for nobody."""
        return self.granted.of(team=identity.get("team", ""), org=identity.get("org", ""))

    def rule_scopes(self, index: str, scopes: Collection[str]) -> Ruling | None:
        """Whether an identity with these scopes may read an index; None where it has no scopes."""
        wanted = self.scopes.get(index)
        if wanted is None:
            return None
        rule = f"indexes.{index}.scopes"
        names = ", ".join(wanted)
        if any(scope in scopes for scope in wanted):
            return Ruling(True, rule, f"index {index} is for {names}, and so is the identity")
        has = ", ".join(sorted(scopes)) or "none"
        return Ruling(False, rule, f"index {index} is for {names}; the identity has {has}")
