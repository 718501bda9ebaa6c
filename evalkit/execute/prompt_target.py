"""A prompt as what is tested: one retrieval, one completion, one look at each tool call."""

from collections.abc import Sequence

from evalkit.errors import SessionError
from evalkit.execute.play import Play
from evalkit.execute.rendering import PromptRenderer
from evalkit.ports import Clock, Opening, Session
from evalkit.records.asset import Prompt
from evalkit.records.attempt import Attempt, VariantName
from evalkit.records.call import Message, PreparedCall
from evalkit.records.case import Case, Document
from evalkit.records.moment import moment_text

# characters of all messages that are kept
_ROOM = 16_000_000


class PromptTarget:
    """Plays cases through one prompt version. It executes no tool: it asks whether one may run."""

    def __init__(self, prompt: Prompt, *, route: str = "") -> None:
        """Compile the prompt; `route` is the name to record. Raises ConfigError."""
        self.prompt = prompt
        self.route = route
        self._renderer = PromptRenderer(prompt)
        self._rendered = _Rendered()

    @property
    def reference(self) -> str:
        """`name@vN`."""
        return self.prompt.reference

    async def close(self) -> None:
        """Nothing is held."""

    async def prepare(self, opening: Opening, case: Case, trial: int) -> PreparedCall:
        """The call that `attempt` would make. Raises PolicyBlocked, and ConfigError for a template
        that cannot be rendered for this case."""
        if self.prompt.retrieve is None:
            return self._prepare(opening, self._messages(case, keeping=opening.keeping), trial)
        session = opening.session()
        documents = await self._retrieve(session, case)
        return self._prepare(session, self._renderer.messages(case, documents), trial)

    async def attempt(
        self,
        session: Session,
        case: Case,
        *,
        suite: str,
        variant: VariantName,
        trial: int,
        clock: Clock,
    ) -> Attempt:
        """Play one case. Whatever a model, a policy or a provider does ends in an attempt; only
        ConfigError (a template) and StoreError (the cache) are raised."""
        play = Play(session=session, case=case, json=self.prompt.output.kind == "json")
        started_at = moment_text(clock.now())
        messages: tuple[Message, ...] | None = None
        try:
            if self.prompt.retrieve is None:
                messages = self._messages(case)
            else:
                play.documents = await self._retrieve(session, case)
                messages = self._renderer.messages(case, play.documents)
            play.take(
                await session.complete(
                    messages,
                    tools=self.prompt.tools,
                    params=self.prompt.params,
                    output=self.prompt.output,
                    trial=trial,
                )
            )
            play.judge_reply()
        except SessionError as error:
            play.record_failure(error)
        prepared = None
        if not play.completions and messages is not None:
            prepared = self._prepared_again(session, messages, trial)
        return play.attempt(
            at=started_at,
            suite=suite,
            variant=variant,
            trial=trial,
            prompt=self.prompt.reference,
            route=self.route,
            prepared=prepared,
        )

    def _messages(self, case: Case, *, keeping: bool = False) -> tuple[Message, ...]:
        """The messages of a prompt without documents: the same object for all trials, where they
        are kept."""
        kept = self._rendered.of(case)
        if kept is not None:
            return kept
        messages = self._renderer.messages(case, ())
        if keeping:
            self._rendered.keep(case, messages)
        return messages

    async def _retrieve(self, session: Session, case: Case) -> tuple[Document, ...]:
        assert self.prompt.retrieve is not None
        return await session.retrieve(self.prompt.retrieve.index, self._renderer.query(case))

    def _prepare(
        self, asked: Opening | Session, messages: Sequence[Message], trial: int
    ) -> PreparedCall:
        return asked.prepare(
            messages,
            tools=self.prompt.tools,
            params=self.prompt.params,
            output=self.prompt.output,
            trial=trial,
        )

    def _prepared_again(
        self, session: Session, messages: Sequence[Message], trial: int
    ) -> PreparedCall | None:
        """What was asked, for an attempt that got no reply to tell it."""
        try:
            return self._prepare(session, messages, trial)
        except SessionError:
            return None


class _Rendered:
    """Messages that were rendered for a plan, kept for its attempts where all of them have room."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Case, tuple[Message, ...]]] = {}
        self._room = _ROOM

    def keep(self, case: Case, messages: tuple[Message, ...]) -> None:
        if case.id not in self._kept:
            self._room -= sum(len(message.content) for message in messages)
        if self._room > 0:
            self._kept[case.id] = case, messages
        else:
            self._kept.clear()

    def of(self, case: Case) -> tuple[Message, ...] | None:
        """The messages for this very object: another one of its id may hold something else."""
        kept = self._kept.get(case.id)
        return kept[1] if kept is not None and kept[0] is case else None
