"""From a suite's configuration to its scorers."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from evalkit.config.scorers import ScorerEntry
from evalkit.errors import ConfigError, Problem
from evalkit.records.asset import Rubric
from evalkit.score.judge import JudgeScorer
from evalkit.score.scorer import Scorer, ScorerError
from evalkit.score.state import STATE


def build_scorers(
    entries: Sequence[ScorerEntry | Mapping[str, Any]],
    schemas: Mapping[str, Any],
    rubrics: Mapping[str, Rubric] = MappingProxyType({}),
) -> tuple[Scorer[Any], ...]:
    """The scorers of a suite, in its order.

    `entries` are the suite's, or the same as plain data from a bundle; `schemas` maps the paths
    that they name to JSON Schemas, `rubrics` labels of judges to theirs. Raises ConfigError with
    every problem: entries that are none, labels that are not unique, patterns that RE2 does not
    take, schemas that are missing or unfit, an extra that is not installed.
    """
    scorers: list[Scorer[Any]] = []
    problems: list[Problem] = []
    labels: set[str] = set()
    for index, given in enumerate(entries):
        key = f"scorers[{index}]"
        try:
            entry = _entry(given)
            scorer = _build(entry, schemas, rubrics)
        except _Broken as error:
            problems += [Problem(message=text, key=key, file=error.file) for text in error.faults]
            continue
        if scorer.label == STATE or scorer.label in labels:
            taken = "evalkit scores an attempt's state" if scorer.label == STATE else "another does"
            problems.append(
                Problem(
                    message=f"a scorer cannot be called {scorer.label!r}: {taken} under this name",
                    key=key,
                    suggestion="tell them apart with `name`",
                )
            )
        labels.add(scorer.label)
        scorers.append(scorer)
    if not entries:
        problems.append(Problem(message="there is no scorer, so nothing decides", key="scorers"))
    if problems:
        raise ConfigError(problems)
    return tuple(scorers)


class _Broken(Exception):
    """Several things wrong with one entry; `file` is where they stand, if not in the suite."""

    def __init__(self, faults: Sequence[str], file: str | None = None) -> None:
        self.faults = faults
        self.file = file
        super().__init__("; ".join(faults))


def _entry(given: ScorerEntry | Mapping[str, Any]) -> ScorerEntry:
    if isinstance(given, ScorerEntry):
        return given
    try:
        return ScorerEntry.model_validate(dict(given))
    except ValidationError as error:
        raise _Broken(
            [
                ": ".join((*map(str, each["loc"]), each["msg"].removeprefix("Value error, ")))
                for each in error.errors()
            ]
        ) from None


def _build(
    entry: ScorerEntry, schemas: Mapping[str, Any], rubrics: Mapping[str, Rubric]
) -> Scorer[Any]:
    if entry.judge is not None:
        if entry.label not in rubrics:
            raise _Broken([f"the rubric {entry.judge.rubric} is not there"])
        return JudgeScorer(rubrics[entry.label], label=entry.label, gate=entry.gate)
    if entry.kind != "json_schema":
        config = getattr(entry, entry.kind)
        try:
            return _builder_of(entry.kind)(config, label=entry.label, gate=entry.gate)
        except ScorerError as error:
            raise _Broken([str(error)]) from None
    from evalkit.score.json_schema import JsonSchema
    from evalkit.validation.soundness import schema_problems

    path = str(entry.json_schema)
    if path not in schemas:
        raise _Broken([f"the schema {path} is not there"])
    if faults := schema_problems(schemas[path]):
        raise _Broken(faults, file=path)
    return JsonSchema(path, schemas[path], label=entry.label, gate=entry.gate)


def _builder_of(kind: str) -> Callable[..., Scorer[Any]]:
    """What builds a scorer of its settings. Raises KeyError for json_schema and judge, which take a
    schema and a rubric besides."""
    # each is loaded for suites that have it: most have one or two
    match kind:
        case "exact":
            from evalkit.score.exact import build_exact

            return build_exact
        case "contains":
            from evalkit.score.contains import Contains

            return Contains
        case "regex":
            from evalkit.score.regex import Regex

            return Regex
        case "numeric":
            from evalkit.score.numeric import Numeric

            return Numeric
        case "tool_calls":
            from evalkit.score.tool_calls import ToolCalls

            return ToolCalls
        case "trajectory":
            from evalkit.score.trajectory import Trajectory

            return Trajectory
        case "retrieval":
            from evalkit.score.retrieval import Retrieval

            return Retrieval
        case "approvals":
            from evalkit.score.approvals import Approvals

            return Approvals
        case "caps":
            from evalkit.score.caps import Caps

            return Caps
        case "citations":
            from evalkit.score.citations import Citations

            return Citations
        case "policy":
            from evalkit.score.policy import Policy

            return Policy
        case "similarity":
            from evalkit.score.text_distance import Similarity

            return Similarity
        case "token_f1":
            from evalkit.score.text_distance import TokenF1

            return TokenF1
        case "embedding":
            from evalkit.score.text_distance import Embedding

            return Embedding
        case _:
            raise KeyError(kind)
