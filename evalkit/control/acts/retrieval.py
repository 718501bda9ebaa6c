"""Retrieval: the documents of an index that the route allows, as many as it allows."""

from collections.abc import Sequence

import msgspec

from evalkit.control.acts.state import SessionState
from evalkit.control.checks import consult
from evalkit.control.policy import rule_retrieval
from evalkit.control.policy_input import retrieval_input
from evalkit.control.retrieval.case_documents import CaseDocuments
from evalkit.control.retrieval.retriever import DEFAULT_CHUNKS, Retriever, readable
from evalkit.control.retrieval.selection import Selection, select
from evalkit.control.screening import screen_rules
from evalkit.errors import PolicyBlocked, ProviderError
from evalkit.records.attempt import Step
from evalkit.records.case import Document
from evalkit.records.permission import StepToken

# A trace names so many of the documents that were refused for one reason, and counts the rest.
MAX_NAMED = 200


class RetrievalAct:
    """Looks up documents for one session."""

    def __init__(self, state: SessionState) -> None:
        """`state` is the session's."""
        self._state = state

    async def retrieve(
        self,
        index: str,
        query: str,
        token: StepToken | None,
        found: Sequence[Document] | None = None,
    ) -> tuple[Document, ...]:
        """Documents of an index, best match first, as many as the route and the identity's scopes
        allow; `found` are those that somebody else looked up.

        Raises PolicyBlocked for an index that may not be read, ProviderError for one that does not
        answer, StoreError; Refused without the key of a service.
        """
        state = self._state
        try:
            if step := state.permits.rule_data(index, token):
                state.enforce("retrieve", step)
            self._admit(index)
            await self._consult(index, query)
            shared = state.catalogue.retriever(index)
            limits = state.route.retrieval
            max_chunks = limits.max_chunks
            if shared is not None and max_chunks is None:
                max_chunks = DEFAULT_CHUNKS
            if found is None:
                found = await self._find(index, query, shared, max_chunks or 0)
        except (PolicyBlocked, ProviderError) as error:
            self._tell_failure(index, query, error)
            raise
        selection = select(
            found,
            readable=lambda document: readable(document, state.may_read),
            max_chunks=max_chunks,
            max_tokens=limits.max_tokens,
        )
        kept = tuple(document.id for document in selection.kept)
        try:
            await self._consult(index, query, kept)
        except PolicyBlocked as blocked:
            self._tell_failure(index, query, blocked)
            raise
        state.known.update(kept)
        state.known.update(_ids(found))
        state.retrieved.update(kept)
        self._trace(index, selection)
        refused = (*selection.out_of_scope, *selection.too_long, *selection.too_many)
        state.story.add(
            Step(
                kind="retrieval",
                name=index,
                arguments={"query": query},
                documents=kept,
                refused=tuple(_ids(refused)),
            )
        )
        return selection.kept

    async def _consult(
        self, index: str, query: str, documents: Sequence[str] | None = None
    ) -> None:
        """Ask the policies that are written elsewhere. Raises PolicyBlocked."""
        state = self._state
        if state.checks:
            if screen_rules(state.route.policies):  # it may leave this process
                query = state.redacted(query)
            document = retrieval_input(state.facts, index, query, documents)
            for ruling in await consult(state.checks, document):
                state.enforce("retrieve", ruling)

    def _admit(self, index: str) -> None:
        """Raise PolicyBlocked for an index that the route or the identity may not read."""
        state = self._state
        state.enforce("retrieve", rule_retrieval(state.route, index))
        scoped = state.catalogue.rule_scopes(index, state.may_read)
        if scoped is not None:
            state.enforce("retrieve", scoped)

    def _tell_failure(self, index: str, query: str, error: PolicyBlocked | ProviderError) -> None:
        denied = isinstance(error, PolicyBlocked)
        self._state.story.add(
            Step(
                kind="retrieval",
                name=index,
                outcome="denied" if denied else "failed",
                rule=error.rule if isinstance(error, PolicyBlocked) else None,
                message=str(error),
                arguments={"query": query},
            )
        )

    async def _find(
        self, index: str, query: str, shared: Retriever | None, k: int
    ) -> Sequence[Document]:
        state = self._state
        if shared is None:
            mine = CaseDocuments([each for each in state.documents if each.index == index])
            return await mine.find(query, k=k, identity=state.identity)
        if not shared.remote:
            return await shared.find(query, k=k, identity=state.identity)
        if state.route.policies.pii_redaction:
            query = state.redacted(query)
        try:
            found = await shared.find(query, k=k, identity=state.identity)
        except ProviderError as error:
            state.trace.add("retrieve", "failed", f"indexes.{index}", str(error), code=error.code)
            raise
        # an id is stored as it is, so what a service calls its documents is looked at first
        return [msgspec.structs.replace(each, id=state.redacted(each.id)) for each in found]

    def _trace(self, index: str, selection: Selection) -> None:
        """One entry for what is used, one for each further reason why something is not."""
        add = self._state.trace.add
        limits = self._state.route.retrieval
        if selection.out_of_scope:
            add(
                "retrieve",
                "denied",
                "documents.scopes",
                f"{len(selection.out_of_scope)} documents of index {index} are for others than "
                "the identity",
                index=index,
                refused=_ids(selection.out_of_scope),
            )
        if selection.too_long:
            add(
                "retrieve",
                "changed",
                "retrieval.max_tokens",
                f"{len(selection.too_long)} documents of index {index} do not fit: the first "
                f"{len(selection.kept)} have {selection.tokens} of {limits.max_tokens} tokens",
                index=index,
                dropped=_ids(selection.too_long),
            )
        total = len(selection.kept) + len(selection.too_many) + len(selection.too_long)
        add(
            "retrieve",
            "changed" if len(selection.kept) < total else "allowed",
            "retrieval.max_chunks",
            f"{len(selection.kept)} of {total} documents of index {index}",
            index=index,
            documents=[document.id for document in selection.kept],
            dropped=_ids(selection.too_many),
        )


def _ids(documents: Sequence[Document]) -> list[str]:
    return [document.id for document in documents[:MAX_NAMED]]
