"""What a route permits its tools and its replies more than it did, a sentence each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from evalkit.config.model import Config
from evalkit.config.permissions import BlockedPhrase
from evalkit.config.routes import Route
from evalkit.config.targets import Target

# from the strictest to the mildest
_MODES = ("block", "redact", "warn")
_CAPS = {
    "max_tool_calls": "call more tools",
    "max_tool_retries": "make calls that failed again more often",
    "max_repeats": "repeat its calls more often",
    "max_steps": "take more turns",
    "max_total_tokens": "use more tokens in a session",
}


def wider_permissions(old: Route, new: Route) -> Iterable[str]:
    """Tools, steps, approvals, caps and what may be said, against what they were."""
    name = f"route {new.name}"
    yield from _actions(name, old, new)
    yield from _approvals(new.name, old, new)
    yield from _steps(name, old, new)
    yield from _replies(name, old, new)
    yield from _phrases(name, old.policies.phrases, new.policies.phrases)
    for key, words in _CAPS.items():
        before, after = getattr(old, key), getattr(new, key)
        if before is not None and (after is None or after > before):
            yield f"{name} may {words}"


def wider_approvers(old: Config, new: Config, route: Route) -> Iterable[str]:
    """Who may approve the executions of a route that could not before."""
    needed = route.approvals.execute
    if needed is None or old.approvers is None:
        return
    if new.approvers is None:
        yield f"evalkit.yaml no longer lists who may approve for {needed.team}"
        return
    known = old.approvers.get(needed.team, [])
    added = [each for each in new.approvers.get(needed.team, []) if each not in known]
    if added:
        yield f"{', '.join(added)} may also approve for {needed.team}"


def changed_step(old: Target, new: Target) -> Iterable[str]:
    """A target that is played in another step, whose permissions are others."""
    if old.step is not None and new.step != old.step:
        now = "no step" if new.step is None else f"step {new.step}"
        yield f"the target is played in {now} instead of step {old.step}"


def changed_answer_schema(
    old: Route, new: Route, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Iterable[str]:
    """A schema of answers whose content is another one under the same path."""
    was, now = old.policies.answer_schema, new.policies.answer_schema
    if was is None or now is None or was.json_schema != now.json_schema:
        return
    if before != after:
        yield f"{now.json_schema}, which route {new.name} holds its answers to, was changed"


def changed_policy_code(
    old: Route, new: Route, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterable[str]:
    """Policies in Rego that are others: what a text of them permits is nothing to compare."""
    was, now = old.policies.rego, new.policies.rego
    if was is None:
        return
    if now is None:
        yield f"{new.name} has no policies in Rego any more"
        return
    if was.mode == "block" and now.mode == "warn":
        yield f"policies.rego of {new.name} went from block to warn"
    if (was.opa, was.package) != (now.opa, now.package):
        yield f"the policies in Rego of {new.name} come from somewhere else"
    elif before != after:
        paths = [path for path in {**before, **after} if before.get(path) != after.get(path)]
        yield f"policies in Rego of {new.name} were changed: {', '.join(sorted(paths))}"


def _actions(name: str, old: Route, new: Route) -> Iterable[str]:
    before, after = old.policies.allowed_actions, new.policies.allowed_actions
    if before is not None and after is None:
        yield f"{name} may call every tool: policies.allow_actions is gone"
    elif before is not None and after is not None:
        added = _added(before.actions, after.actions)
        if added:
            yield f"{name} may also call {', '.join(added)}"
        yield from _milder(f"policies.allow_actions of {name}", before.mode, after.mode)
    yield from _milder(
        f"policies.tool_arguments of {name}",
        old.policies.tool_arguments.mode,
        new.policies.tool_arguments.mode,
    )


def _approvals(name: str, old: Route, new: Route) -> Iterable[str]:
    before, after = old.approvals.execute, new.approvals.execute
    if before is None:
        return
    if after is None or after.team != before.team:
        now = "nobody" if after is None else after.team
        yield f"approvals.on_execute of route {name} went from {before.team} to {now}"
    elif after.expires_s > before.expires_s:
        yield (
            f"approvals.on_execute of route {name} stand for {after.expires_s:g} s instead of "
            f"{before.expires_s:g} s"
        )


def _steps(name: str, old: Route, new: Route) -> Iterable[str]:
    if old.steps and not new.steps:
        yield f"{name} no longer has steps, so tools and indexes may be used at any time"
        return
    if not old.steps:
        return
    for step, after in new.steps.items():
        before = old.steps.get(step)
        if before is None:
            uses = ", ".join([*after.tools, *after.data])
            if uses:
                yield f"step {step} of {name} is new and may use {uses}"
            continue
        indexes = [each for each in after.data if each not in before.data]
        added = [*_added(before.tools, after.tools), *indexes]
        if added:
            yield f"step {step} of {name} may also use {', '.join(added)}"
        if after.ttl_s > before.ttl_s:
            yield (
                f"the token of step {step} of {name} holds for {after.ttl_s:g} s instead of "
                f"{before.ttl_s:g} s"
            )


def _replies(name: str, old: Route, new: Route) -> Iterable[str]:
    if old.citations is not None and new.citations is None:
        yield f"{name} no longer requires citations"
    elif old.citations is not None and new.citations is not None:
        yield from _milder(f"require_citations of {name}", old.citations.mode, new.citations.mode)
    before, after = old.policies.answer_schema, new.policies.answer_schema
    if before is not None and after is None:
        yield f"{name} no longer holds its replies to {before.json_schema}"
    elif before is not None and after is not None:
        if before.json_schema != after.json_schema:
            yield (
                f"policies.output_schema of {name} went from {before.json_schema} to "
                f"{after.json_schema}"
            )
        yield from _milder(f"policies.output_schema of {name}", before.mode, after.mode)


def _phrases(
    name: str, old: Sequence[BlockedPhrase], new: Sequence[BlockedPhrase]
) -> Iterable[str]:
    """Phrases are told by their place in the list: what they say may be nobody's to repeat."""
    for number, before in enumerate(old, start=1):
        words = f"blocked phrase {number} of {name}"
        after = next((each for each in new if _text(each) == _text(before)), None)
        if after is None:
            yield f"{words} is no longer blocked"
            continue
        if not _sides(before) <= _sides(after):
            yield f"{words} is looked for in the {after.where} only"
        yield from _milder(words, before.mode, after.mode)


def _text(phrase: BlockedPhrase) -> tuple[str | None, str | None]:
    return phrase.text, phrase.pattern


def _sides(phrase: BlockedPhrase) -> frozenset[str]:
    return frozenset({"request", "reply"} if phrase.where == "both" else {phrase.where})


def _milder(what: str, before: str, after: str) -> Iterable[str]:
    if _MODES.index(after) > _MODES.index(before):
        yield f"{what} went from mode {before} to {after}"


def _added(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Tools that only the second list has, named as policies compare them."""
    known = {each.strip().casefold() for each in before}
    return [each for each in after if each.strip().casefold() not in known]
