"""Replies that stand in files of the project, against what they were at another commit.

New ones are how a new prompt is recorded or scripted. One that was there and says something else
now is another answer to the same question, which no model has to have given.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from evalkit.config.json_lines import decode_lines
from evalkit.config.model import Config
from evalkit.config.routes import Provider
from evalkit.control.providers.scripted import ScriptedLine
from evalkit.errors import Problem
from evalkit.gate.wording import named
from evalkit.ports import FileTree
from evalkit.records.recording import Recording

# what is asked, by key or by case and prompt: case, then what is answered
Replies = dict[tuple[str, ...], tuple[str, Any]]


def changed_replies(
    old: tuple[FileTree, Config], new: tuple[FileTree, Config], *, suite: str, models: Sequence[str]
) -> Iterable[str]:
    """A sentence for each model that has recorded or scripted replies which are no longer the same.

    `models` are those that may answer the suite.
    """
    for model in models:
        before, after = (_replies(tree, config, suite, model) for tree, config in (old, new))
        changed = [
            case
            for asked, (case, answer) in before.items()
            if asked in after and after[asked][1] != answer
        ]
        if changed:
            yield (
                f"replies of {model} that were written down say something else now: "
                f"{named(changed)}"
            )


def _replies(tree: FileTree, config: Config, suite: str, model: str) -> Replies:
    """Everything that is written down for a model; broken lines are its provider's to tell."""
    known = config.models.get(model)
    found: Replies = {}
    for name in () if known is None else config.answering(known.provider):
        provider = config.providers[name]
        for path in _files(tree, provider, suite, model):
            ignored: list[Problem] = []
            raw = tree.read(path)
            if provider.path:
                for _, line in decode_lines(
                    raw, ScriptedLine, noun="reply", file=path, problems=ignored
                ):
                    said = (line.reply, line.replies)
                    found.setdefault((line.case, line.prompt), (line.case, said))
                continue
            for _, each in decode_lines(
                raw, Recording, noun="recording", file=path, problems=ignored
            ):
                answer = (each.reply.content, each.reply.tool_calls, each.reply.refusal)
                found.setdefault((each.key,), (each.case or each.key, answer))
    return found


def _files(tree: FileTree, provider: Provider, suite: str, model: str) -> list[str]:
    """The files that a provider reads for a suite and a model, in its order."""
    if provider.path:
        path = provider.path.replace("{suite}", suite)
        return [path] if tree.exists(path) else []
    if not provider.recordings:
        return []
    folder = f"{provider.recordings}/{model}"
    return [f"{folder}/{name}" for name in tree.list(folder) if name.endswith(".jsonl")]
