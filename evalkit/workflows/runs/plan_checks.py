"""What keeps a plan from being executed as it stands, found before anything is spent."""

from collections import defaultdict
from collections.abc import Sequence

from evalkit.errors import NotMeasured, Refused
from evalkit.records.plan import PlannedAttempt
from evalkit.records.planned import lacking, origins_of
from evalkit.workflows.runs.preparing import PreparedRun
from evalkit.workflows.setup.variants import SuiteSetup


def check_plan(prepared: PreparedRun) -> None:
    """Raise Refused for replies that are missing, models without a price under a USD cap, replays
    where live evidence is asked for, and scripts that cannot tell the two variants apart."""
    attempts = prepared.plan.attempts
    # `evalkit record` asks about a golden set, never about traffic
    check_replies(attempts, recordable=not any(each.traffic for each in prepared.setups))
    unpriced = sorted(_unpriced(prepared))
    if unpriced and any(budget.max_usd is not None for budget in prepared.config.budgets):
        raise Refused(
            f"no price is known for {', '.join(unpriced)}, and a USD cap applies that could not be "
            "kept; add `models.NAME.price` with input_usd_per_mtok and output_usd_per_mtok, or cap "
            "the budget in tokens (max_tokens)"
        )
    for setup in prepared.setups:
        origins = origins_of(attempts, setup.name)
        replayed = [name for name in ("recording", "scripted") if name in origins]
        if setup.assets.suite.evidence == "live" and replayed:
            raise Refused(
                f"suite {setup.name} asks for live evidence, and its replies would be "
                f"{' and '.join(replayed)}; run with --live"
            )
        _check_judges_are_live(setup, prepared)
        if "scripted" in origins:
            _check_scripts_can_tell(setup)


def _check_judges_are_live(setup: SuiteSetup, prepared: PreparedRun) -> None:
    if setup.assets.suite.evidence != "live":
        return
    for entry in setup.assets.suite.scorers:
        judge = prepared.judges.opened.get((setup.name, entry.label))
        if judge is not None and entry.gate and not judge.live:
            raise Refused(
                f"suite {setup.name} asks for live evidence, and the verdicts of its judge "
                f"{entry.label} were given elsewhere or written down; judge with a model that is "
                "asked, or let it only inform (`gate: false`)"
            )


def check_replies(attempts: Sequence[PlannedAttempt], *, recordable: bool = True) -> None:
    """Raise NotMeasured for replies that should be replayed and are not written down, or that
    `--offline` finds nowhere. `recordable` tells that they could be recorded."""
    missing = lacking(attempts)
    uncached = [each for each in missing if each.origin == "live"]
    if uncached:
        raise _not_cached(uncached)
    if missing:
        raise _not_recorded(missing, recordable=recordable)


def _check_scripts_can_tell(setup: SuiteSetup) -> None:
    """Raise NotMeasured where one line of a script would answer two different prompts."""
    if setup.baseline is None:
        return
    old, new = setup.baseline.assets.prompt, setup.candidate.assets.prompt
    if old is None or new is None:
        return
    if old.reference == new.reference and old.digest != new.digest:
        settle = (
            f"Make it {new.name}@v{new.version + 1} with replies of its own, or use a real model"
        )
        raise NotMeasured(
            f"not measured: {new.path} differs from the baseline's and is still {new.reference}. "
            f"Scripted replies are found by that name, so both variants of suite {setup.name} "
            f"would get the same ones. {settle}",
            settle=settle,
        )


def _unpriced(prepared: PreparedRun) -> set[str]:
    """Models without a price that a run may call: those it plans to, and their fallbacks."""
    live = {suite.suite for suite in prepared.plan.suites if suite.calls}
    planned = {name for suite in prepared.plan.suites for name in suite.unpriced_models}
    judges = {
        name
        for suite in prepared.plan.suites
        if suite.judging is not None
        for name in suite.judging.unpriced_models
    }
    return (
        planned
        | judges
        | {
            name
            for setup in prepared.setups
            if setup.name in live
            for variant in setup.variants
            for name in variant.assets.route.every_model
            if name not in variant.config.models or variant.config.models[name].price is None
        }
    )


def _not_cached(missing: Sequence[PlannedAttempt]) -> NotMeasured:
    models = ", ".join(dict.fromkeys(each.model for each in missing))
    replies = "1 reply" if len(missing) == 1 else f"{len(missing):,} replies"
    are = "is" if len(missing) == 1 else "are"
    settle = "Run without --offline where the model can be asked: what it says is stored."
    return NotMeasured(
        f"not measured: {replies} of {models} {are} not in the cache, and --offline never asks a "
        f"model. {settle} Missing:\n" + "\n".join(_lacking(missing)),
        settle=settle,
    )


def _not_recorded(missing: Sequence[PlannedAttempt], *, recordable: bool) -> NotMeasured:
    models = ", ".join(dict.fromkeys(each.model for each in missing))
    replies = "1 reply" if len(missing) == 1 else f"{len(missing):,} replies"
    are = "is" if len(missing) == 1 else "are"
    asked = any(each.origin != "scripted" for each in missing)
    recorded = "recorded" if asked else "scripted"
    never = ", and a run never asks a recorded model by itself" if asked else ""
    settle = _ways_out(missing, recordable=recordable)
    return NotMeasured(
        f"not measured: {replies} of {models} {are} not {recorded}{never}. {settle} Missing:\n"
        + "\n".join(_lacking(missing)),
        settle=settle,
    )


def _ways_out(missing: Sequence[PlannedAttempt], *, recordable: bool) -> str:
    """A script is written by hand; what a model said is recorded."""
    recorded = dict.fromkeys(each.suite for each in missing if each.origin != "scripted")
    ways = []
    if recorded and recordable:
        ways.append(f"record them with `evalkit record {' '.join(recorded)}`")
    if any(each.origin == "scripted" for each in missing):
        line = '{"case": …, "prompt": …, "reply": {"content": …}}'
        ways.append(f"add a line `{line}` for each scripted one to the file named below")
    ways.append("ask the model itself with --live" if recorded else "use a real model")
    words = ", or ".join(ways)
    return f"{words[0].upper()}{words[1:]}."


def _lacking(missing: Sequence[PlannedAttempt]) -> list[str]:
    """All that is missing: a line for what differs in the case alone, as 400 lines say no more."""
    cases: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each in missing:
        # what there is to do about it stands after the semicolon, and once for all in front
        words = (each.missing or "").partition("; ")[0].replace(f" to case {each.case}", "", 1)
        cases[each.suite, each.variant, words].append(each.case)
    return [
        f"  {suite} {variant}: {words}, in {_count(len(ids))}: {', '.join(sorted(ids))}"
        for (suite, variant, words), ids in cases.items()
    ]


def _count(cases: int) -> str:
    return "1 case" if cases == 1 else f"{cases:,} cases"
