"""`evalkit golden add`: a session in production becomes a case, as a change to be reviewed."""

import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from evalkit.config.assets import CaseFile
from evalkit.config.json_document import parse_json
from evalkit.config.load import examine_config
from evalkit.config.problems import Locator, validate
from evalkit.errors import ConfigError, Problem, Refused, UsageError
from evalkit.ports import Clock
from evalkit.records.asset import Agent, Prompt
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.golden import AddedCase
from evalkit.records.span import SessionTrace
from evalkit.sources.agents import load_agent
from evalkit.sources.assets import CONFIG_FILE
from evalkit.sources.prompts import load_prompt
from evalkit.sources.reading import Reader
from evalkit.sources.references import AGENTS, PROMPTS, UnknownReference
from evalkit.sources.tree import WorkingTree
from evalkit.store.folder import private_folder
from evalkit.store.private_lines import locked
from evalkit.store.traces import TraceStore
from evalkit.workflows.auditing import open_audit, whoever_runs
from evalkit.workflows.golden.likeness import NEAR, nearest
from evalkit.workflows.golden.versions import begin_set, change_of, find_draft, write_change
from evalkit.workflows.traces.becoming_cases import check_may_become_case
from evalkit.workflows.traces.making import KIND, Users, Wanted, make_case

_LOCK = "golden.lock"


def add_from_trace(
    root: Path,
    reference: str,
    trace_id: str,
    wanted: Wanted,
    *,
    clock: Clock,
    allow_duplicate: str | None = None,
    new_set: bool = False,
    dry_run: bool = False,
) -> AddedCase:
    """Make a case of a stored session, and put it into the draft of a golden set.

    With `new_set` the case begins a golden set of its own; without it a set that is not there is an
    error, because its name may be mistyped. Raises UsageError for a trace that is not there and for
    a set that should be new and is not; Refused for a trace that must not become a case, is one
    already, or asks nearly what a case asks (unless `allow_duplicate` says why); ConfigError for a
    golden set that does not load; StoreError.
    """
    trace = TraceStore(root).find(trace_id)
    check_may_become_case(trace)
    tree = WorkingTree(root)
    with locked(private_folder(root) / _LOCK):
        if new_set:
            draft = begin_set(tree, reference, _origin_of(trace))
        else:
            draft = find_draft(tree, reference)
        known = draft.base.cases
        _check_new(known, trace.trace_id)
        suites, users = _users(tree, draft.base.name, trace.route if new_set else None)
        made = make_case(trace, wanted, known=known, users=users, today=clock.now().date())
        case = _check_unlike(made.case, known, allow_duplicate)
        _check_form(case)
        change = change_of(tree, draft, case)
        if not dry_run:
            write_change(root, draft, change)
            open_audit(root, now=clock.now).append(
                "trace.became_case",
                whoever_runs(),
                {"trace": trace.trace_id, "golden": draft.reference, "case": case.id},
            )
    return AddedCase(
        golden=draft.reference,
        path=draft.cases_path,
        new_version=draft.new,
        new_set=new_set,
        case=case,
        lines=change.lines,
        review=(*made.review, *(_left_to_say(suites) if new_set else ())),
        pinned=tuple(
            name
            for name, golden in suites.items()
            if golden not in (draft.reference, f"{draft.base.name}@latest")
        ),
        written=not dry_run,
    )


def _origin_of(trace: SessionTrace) -> str:
    """What the set.yaml of a new set says of its cases."""
    return (
        f"Sessions in production, from route {trace.route}, marked for evaluation; "
        "redacted, and added by `evalkit golden add`."
    )


def _left_to_say(suites: Mapping[str, str]) -> Iterator[str]:
    """What a person has to say of a set that one case began."""
    yield "set.yaml: `owner`, and `licence` where the cases may be used under one only"
    if not suites:
        yield "evalkit.yaml: no suite uses the set yet (`suites.NAME.golden`)"


def read_object(name: str, option: str) -> dict[str, Any]:
    """The JSON object of a file that an option names; `-` is standard input.

    Raises UsageError for a file that cannot be read, and ConfigError for one that holds no object.
    """
    try:
        raw = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"{option} {name}: {error.strerror}") from error
    file = "(stdin)" if name == "-" else name
    document = parse_json(raw, file)
    if not isinstance(document.data, dict):
        raise ConfigError(
            [Locator(document).problem((), "holds no object", expected="a JSON object")]
        )
    return document.data


def _check_new(known: Cases, trace_id: str) -> None:
    for case in known:
        source = case.source or {}
        if source.get("kind") == KIND and source.get("trace") == trace_id:
            raise Refused(f"trace {trace_id[:8]} is a case of the set already: {case.id}")


def _check_unlike(case: Case, known: Cases, allow: str | None) -> Case:
    id_, alike = _most_like(case, known)
    if alike < NEAR:
        return case
    if case.group is not None and case.group == known.by_id(id_).group:
        return case  # they count as one
    if allow is None:
        raise Refused(
            f"the case would ask nearly what {id_} asks: they share {alike:.0%} of their runs of "
            "words, so it would count twice and tell nothing new. --group puts it into the group "
            "of that case, which counts once; --allow-duplicate REASON adds it all the same"
        )
    source = {**(case.source or {}), "like": id_, "reason": allow}
    return msgspec.structs.replace(case, source=source)


def _most_like(case: Case, known: Cases) -> tuple[str, float]:
    """The id of the case that is most like it, and how much. One conversation that goes on where
    the other ends is the same: each request of a client that keeps no session is a trace."""
    for other in known:
        both = min(len(case.conversation), len(other.conversation))
        if other.input == case.input and other.conversation[:both] == case.conversation[:both]:
            return other.id, 1.0
    return nearest(case, known) or ("", 0.0)


def _check_form(case: Case) -> None:
    """Raise ConfigError for what a golden set would not take."""
    locator = Locator(parse_json(msgspec.json.encode(case), f"(case {case.id})"))
    _, problems = validate(CaseFile, locator)
    if problems:
        raise ConfigError(problems)


def _users(tree: WorkingTree, golden: str, route: str | None) -> tuple[dict[str, str], Users]:
    """The suites that use a version of the set, and what they say of its cases.

    Where none does, those on `route` tell what an input looks like there.
    """
    try:
        raw = tree.read(CONFIG_FILE)
    except FileNotFoundError as error:
        raise ConfigError([Problem(file=CONFIG_FILE, message="is missing")]) from error
    examined = examine_config(raw, file=CONFIG_FILE)
    suites = {
        name: suite
        for name, suite in examined.config.suites.items()
        if suite.golden.partition("@")[0] == golden
    }
    told_by = suites or {
        name: suite for name, suite in examined.config.suites.items() if suite.route == route
    }
    reader = Reader(tree)
    prompts: dict[str, Prompt] = {}
    agents: dict[str, Agent] = {}
    for name, suite in told_by.items():
        missing = partial(examined.locator.problem, ("suites", name, "target"))
        try:
            if suite.target.prompt is not None:
                prompt = load_prompt(reader, PROMPTS.resolve(reader, suite.target.prompt), missing)
            elif suite.target.agent is not None:
                agent = load_agent(reader, AGENTS.resolve(reader, suite.target.agent), missing)
                if agent is not None:
                    agents[agent.prompt.path] = agent
                continue
            else:
                continue
        except UnknownReference:
            continue  # `check` says so; the case is made without that prompt
        if prompt is not None:
            prompts[prompt.path] = prompt
    reads = dict.fromkeys(
        key for suite in told_by.values() for entry in suite.scorers for key in entry.reads
    )
    return (
        {name: suite.golden for name, suite in suites.items()},
        Users(prompts=tuple(prompts.values()), agents=tuple(agents.values()), reads=tuple(reads)),
    )
