"""`evalkit record`: a real model's answers, kept in the repository so that runs need no model.

A model is asked prompt by prompt, in the order of the cases, one call at a time, and starts fresh
for each prompt: an embedded model's prompt cache makes its answers depend on what it read before,
and this order can be repeated.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec

from evalkit.config.suites import SetBaseline, Suite
from evalkit.control.factory import ControlPlane
from evalkit.errors import ProviderError, Refused
from evalkit.execute.target import Target
from evalkit.ports import Provider
from evalkit.records.call import Piece, Reply, Request
from evalkit.records.recording import Recording
from evalkit.sources.assets import Assets, SuiteAssets, load_assets
from evalkit.sources.tree import WorkingTree
from evalkit.store.recordings import RecordingWriter
from evalkit.workflows.setup.targets import build_target
from evalkit.workflows.setup.variants import default_suites
from evalkit.workflows.wiring import Wiring

OnReply = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What was recorded: `replies` of one model to one prompt, and the file that holds them."""

    suite: str
    prompt: str
    model: str
    replies: int
    path: str


class _Capturing:
    """A provider that keeps what it is asked and what it answers."""

    def __init__(self, provider: Provider, taken: list[Recording]) -> None:
        self._provider = provider
        self._taken = taken
        self.name = provider.name
        self.identity = provider.identity
        self.origin = provider.origin

    def missing(self, request: Request) -> str | None:
        return self._provider.missing(request)

    async def complete(self, request: Request, *, timeout_s: float) -> Reply:
        reply = await self._provider.complete(request, timeout_s=timeout_s)
        self._take(request, reply)
        return reply

    async def stream(self, request: Request, *, timeout_s: float) -> AsyncGenerator[Piece, None]:
        async with aclosing(self._provider.stream(request, timeout_s=timeout_s)) as pieces:
            async for piece in pieces:
                if piece.reply is not None:
                    self._take(request, piece.reply)
                yield piece

    def _take(self, request: Request, reply: Reply) -> None:
        about = request.attribution
        self._taken.append(
            Recording(
                key=request.key,
                reply=reply,
                case=about.case,
                prompt=about.prompt,
                trial=request.trial,
            )
        )

    async def close(self) -> None:
        await self._provider.close()


async def record_suites(
    suites: Sequence[str], prompts: Sequence[str], *, wiring: Wiring, on_reply: OnReply
) -> tuple[Recorded, ...]:
    """Ask the models that have recordings about every case, and write what they answer.

    `prompts` are references to record besides each suite's target and what its baseline changes.
    Earlier recordings of the same prompts are replaced, those of other prompts stay. `wiring` has
    to be live. `on_reply(prompt, done, of)` reports progress.

    Raises Refused where no suite has a recorded model, ProviderError when the model cannot answer.
    """
    tree = WorkingTree(wiring.root)
    recorded: list[Recorded] = []
    for name in tuple(suites) or default_suites(wiring.root):
        project = load_assets(tree, suites=[name])
        kind = project.suites[name].suite.target.kind
        if kind not in ("prompt", "agent"):
            continue
        begun: set[str] = set()
        for changes in _variants(name, project.suites[name].suite, prompts):
            assets = load_assets(tree, changes=changes, suites=[name])
            suite = assets.suites[name]
            folder = _recordings_folder(assets, suite.route.models.first)
            if folder is not None:
                again = suite.reference not in begun
                begun.add(suite.reference)
                recorded.append(
                    await _record(assets, suite, folder, wiring, on_reply, replace=again)
                )
    if not recorded:
        raise Refused(
            "none of these suites asks, by a prompt or an agent, a model whose provider has a "
            "`recordings:` folder, so there is nothing to record"
        )
    return tuple(recorded)


def _variants(name: str, suite: Suite, more: Sequence[str]) -> list[dict[str, Any]]:
    """The changes that make each variant: none, the baseline's, and prompts or agents of the
    target's name that were asked for."""
    target = suite.target
    key = f"suites.{name}.target.{target.kind}"
    kind = target.words.partition("@")[0]
    wanted: list[dict[str, Any]] = [{key: target.words}]
    if isinstance(suite.baseline, SetBaseline):
        wanted.append({key: target.words, **suite.baseline.set})
    wanted += [{key: each} for each in more if each.partition("@")[0] == kind]
    return [each for place, each in enumerate(wanted) if each not in wanted[:place]]


def _recordings_folder(assets: Assets, model: str) -> str | None:
    known = assets.config.models.get(model)
    return None if known is None else assets.config.providers[known.provider].recordings


async def _record(
    assets: Assets,
    suite: SuiteAssets,
    folder: str,
    wiring: Wiring,
    on_reply: OnReply,
    *,
    replace: bool,
) -> Recorded:
    """Record one variant. `replace` drops what was recorded of its prompt before."""
    model = suite.route.models.first
    taken: list[Recording] = []
    wiring.watch(lambda provider: _Capturing(provider, taken))
    plane = wiring.control_plane(
        assets.config,
        suite.route,
        suite=suite.name,
        ledger=wiring.ledger(assets.config),
        cache=None,
        indexes=suite.indexes,
        output_schema=suite.output_schema,
        policy_code=suite.policy_code,
    )
    target = build_target(suite)
    reference = target.reference
    WorkingTree(wiring.root).list(f"{folder}/{model}")  # refuses one that leads out of the project
    writer = RecordingWriter(wiring.root / folder)
    earlier = writer.read(model, suite.name)
    whole = False
    try:
        await _ask_in_order(suite, plane, target, wiring, taken, on_reply)
        whole = True
    finally:
        await wiring.close()
        if taken:
            # what was answered before an interruption is kept beside what was recorded earlier; a
            # whole recording replaces its prompt's earlier one
            gone = whole and replace
            keys = {each.key for each in taken}
            kept = [
                each
                for each in earlier
                if each.key not in keys and not (gone and each.prompt == reference)
            ]
            writer.write(model, suite.name, [*kept, *taken])
    return Recorded(
        suite=suite.name,
        prompt=reference,
        model=model,
        replies=len(taken),
        path=writer.path(model, suite.name).relative_to(wiring.root).as_posix(),
    )


async def _ask_in_order(
    suite: SuiteAssets,
    plane: ControlPlane,
    target: Target,
    wiring: Wiring,
    taken: list[Recording],
    on_reply: OnReply,
) -> None:
    """Every case in every trial, one call at a time. Raises ProviderError for the first failure."""
    reference = target.reference
    cases, trials = suite.golden.cases, suite.suite.trials
    for trial in range(1, trials + 1):
        for done, case in enumerate(cases, start=1):
            before = len(taken)
            session = plane.open(
                case,
                suite=suite.name,
                variant="candidate",
                prompt=reference,
                step=suite.suite.target.step,
            )
            attempt = await target.attempt(
                session,
                case,
                suite=suite.name,
                variant="candidate",
                trial=trial,
                clock=wiring.clock,
            )
            # as in a run, what a recording says of people are placeholders
            taken[before:] = [
                msgspec.structs.replace(each, reply=session.redacted_reply(each.reply))
                for each in taken[before:]
            ]
            if attempt.state == "error":
                raise ProviderError(
                    str(attempt.failure_mode), f"{reference}, case {case.id}: {attempt.error}"
                )
            on_reply(reference, (trial - 1) * len(cases) + done, trials * len(cases))
