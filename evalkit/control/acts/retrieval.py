"""Retrieval: the documents of an index that the route allows, as many as it allows."""

from evalkit.control.acts.state import SessionState
from evalkit.control.policy import cut_chunks, rule_retrieval
from evalkit.control.retrieval import rank
from evalkit.errors import PolicyBlocked
from evalkit.records.attempt import Step
from evalkit.records.case import Document


class RetrievalAct:
    """Looks up documents for one session."""

    def __init__(self, state: SessionState) -> None:
        """`state` is the session's."""
        self._state = state

    async def retrieve(self, index: str, query: str) -> tuple[Document, ...]:
        """Documents of an index, best match first, at most `retrieval.max_chunks` of them.

        Raises PolicyBlocked for an index that the route may not read.
        """
        state = self._state
        asked = {"query": query}
        try:
            state.enforce("retrieve", rule_retrieval(state.route, index))
        except PolicyBlocked as blocked:
            state.story.add(
                Step(
                    kind="retrieval",
                    name=index,
                    outcome="denied",
                    rule=blocked.rule,
                    message=str(blocked),
                    arguments=asked,
                )
            )
            raise
        ranked = rank([each for each in state.documents if each.index == index], query)
        kept = cut_chunks(state.route, ranked)
        state.retrieved.update(document.id for document in kept)
        state.trace.add(
            "retrieve",
            "changed" if len(kept) < len(ranked) else "allowed",
            "retrieval.max_chunks",
            f"{len(kept)} of {len(ranked)} documents of index {index}",
            documents=[document.id for document in kept],
            dropped=[document.id for document in ranked[len(kept) :]],
        )
        state.story.add(
            Step(
                kind="retrieval",
                name=index,
                arguments=asked,
                documents=tuple(document.id for document in kept),
                refused=tuple(document.id for document in ranked[len(kept) :]),
            )
        )
        return kept
