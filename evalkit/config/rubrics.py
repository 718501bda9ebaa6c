"""Rubric files: what a judge assesses, by which scale, who judges, and what it takes to gate."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from evalkit.config.assets import PromptParams, Version, Words
from evalkit.config.base import DIGEST, Name, Part, ProjectPath


class BinaryScale(Part):
    """A judge says pass or fail."""

    kind: Annotated[Literal["binary"], Field(description="Two verdicts: pass and fail.")]
    passes: Annotated[Words, Field(alias="pass", description="When the verdict is pass.")]
    fails: Annotated[Words, Field(alias="fail", description="When the verdict is fail.")]


class GradedScale(Part):
    """A judge gives a score, which passes from a threshold on."""

    kind: Annotated[Literal["graded"], Field(description="A score between two ends.")]
    lowest: Annotated[float, Field(description="The worst score.")] = 1.0
    highest: Annotated[float, Field(description="The best score.")] = 5.0
    levels: Annotated[
        dict[str, Words],
        Field(min_length=2, description="What scores mean, by score: at least both ends."),
    ]
    pass_from: Annotated[
        float | None,
        Field(
            description="The lowest score that passes. Default: the threshold that `evalkit judge "
            "calibrate` chose on the tuning labels."
        ),
    ] = None

    @model_validator(mode="after")
    def _levels_on_the_scale(self) -> "GradedScale":
        if not self.lowest < self.highest:
            raise ValueError("lowest has to be below highest")
        for level in self.levels:
            try:
                score = float(level)
            except ValueError:
                raise ValueError(f"levels: {level!r} is no score") from None
            if not self.lowest <= score <= self.highest:
                raise ValueError(f"levels: {level} is not between lowest and highest")
        ends = {float(level) for level in self.levels}
        if not {self.lowest, self.highest} <= ends:
            raise ValueError("levels has to say what lowest and highest mean")
        if self.pass_from is not None and not self.lowest < self.pass_from <= self.highest:
            raise ValueError("pass_from has to be above lowest and at most highest")
        return self


class AtLeast(Part):
    """A checklist passes with so many of its items."""

    at_least: Annotated[int, Field(ge=1, description="How many items have to hold.")]


class ChecklistScale(Part):
    """A judge answers yes/no questions, which a rule combines."""

    kind: Annotated[Literal["checklist"], Field(description="Several questions, yes or no.")]
    items: Annotated[
        dict[Name, Words],
        Field(min_length=1, description="The questions by name; yes is what should be."),
    ]
    rule: Annotated[
        Literal["all", "any"] | AtLeast,
        Field(description="all, any, or {at_least: n}: what it takes to pass."),
    ] = "all"

    @model_validator(mode="after")
    def _can_pass(self) -> "ChecklistScale":
        if isinstance(self.rule, AtLeast) and self.rule.at_least > len(self.items):
            raise ValueError(
                f"rule: {self.rule.at_least} of {len(self.items)} items can never hold"
            )
        return self


class Anchor(Part):
    """An example that shows a judge where the line runs."""

    text: Annotated[Words, Field(description="What was assessed.")]
    verdict: Annotated[
        Literal["pass", "fail"] | None, Field(description="How it was assessed.")
    ] = None
    score: Annotated[float | None, Field(description="Its score, on a graded scale.")] = None
    why: Annotated[str, Field(description="The reason, in a sentence.")] = ""

    @model_validator(mode="after")
    def _assessed(self) -> "Anchor":
        if (self.verdict is None) == (self.score is None):
            raise ValueError("an anchor has either a verdict or a score")
        return self


class RecordedVerdicts(Part):
    """Verdicts that a judge elsewhere gave, read from a file instead of asking a model."""

    file: Annotated[
        ProjectPath,
        Field(
            description="Verdicts as .jsonl or .csv: `id` (of the output, as `evalkit judge label` "
            "and judgments.jsonl tell it) and `verdict` or `score`."
        ),
    ]
    judge: Annotated[
        Words, Field(description="Who judged: model, snapshot and prompt, for every report.")
    ]


class JudgePrompt(Part):
    """Who judges, and how the judge is asked."""

    route: Annotated[Name | None, Field(description="The route that the judge's calls take.")] = (
        None
    )
    panel: Annotated[
        list[Name] | None,
        Field(min_length=2, description="Several routes instead: the majority decides."),
    ] = None
    recorded: Annotated[
        RecordedVerdicts | None, Field(description="A file of verdicts instead of a model.")
    ] = None
    prompt: Annotated[
        str,
        Field(
            description="A Jinja template; it sees `criteria`, `anchors`, `scale`, and the data "
            "`input`, `output`, `other` (of a pair), `reference` and `documents`. Data is fenced: "
            "whatever stands in it cannot end its block."
        ),
    ] = ""
    params: Annotated[PromptParams, Field(description="Sampling and length.")] = (
        PromptParams.model_construct(temperature=0.0)
    )

    @model_validator(mode="after")
    def _one_judge(self) -> "JudgePrompt":
        given = [self.route is not None, self.panel is not None, self.recorded is not None]
        if sum(given) != 1:
            raise ValueError("give one of route, panel and recorded")
        if self.panel is not None and len(set(self.panel)) < len(self.panel):
            raise ValueError("panel names a route twice; its members have to be different judges")
        if self.recorded is None and not self.prompt.strip():
            raise ValueError("a judge that is asked needs a prompt")
        return self

    @property
    def routes(self) -> tuple[str, ...]:
        """The routes that are asked."""
        return tuple(self.panel or ([self.route] if self.route else []))


class CalibrationSettings(Part):
    """What a judge has to show against labels before it may gate."""

    min_passes: Annotated[int, Field(ge=1, description="Test labels that say pass.")] = 50
    min_fails: Annotated[int, Field(ge=1, description="Test labels that say fail.")] = 50
    min_tpr: Annotated[
        float,
        Field(gt=0, le=1, description="Lower 95 % bound of the share of passes that it passes."),
    ] = 0.8
    min_tnr: Annotated[
        float,
        Field(gt=0, le=1, description="Lower 95 % bound of the share of fails that it fails."),
    ] = 0.7
    min_j: Annotated[
        float, Field(gt=0, le=1, description="Lower 95 % bound of J, TPR + TNR - 1.")
    ] = 0.5
    max_abstained: Annotated[
        float, Field(ge=0, lt=1, description="The largest share of outputs without a verdict.")
    ] = 0.1
    labelled_by: Annotated[
        Literal["people", "anyone"],
        Field(
            description="Whose labels count. anyone: also those of a model or a rule, which every "
            "report then says."
        ),
    ] = "people"


class RubricFile(Part):
    """rubrics/<name>/v<N>.yaml: instructions of a judge, versioned."""

    name: Annotated[Name, Field(description="The name of its folder.")]
    version: Annotated[Version, Field(description="The number in its file name.")]
    description: Annotated[str, Field(description="What is judged.")] = ""
    owner: Annotated[str | None, Field(description="Who answers for the rubric.")] = None
    digest: Annotated[
        str | None,
        Field(
            pattern=DIGEST,
            description="Of what shapes a judgment, written by `evalkit judge freeze`. From then "
            "on a change of it needs a new version.",
        ),
    ] = None
    compare: Annotated[
        Literal["output", "pair"],
        Field(
            description="output: each output is assessed by itself. pair: the candidate's is "
            "compared with the baseline's, in both orders."
        ),
    ] = "output"
    reference: Annotated[
        Literal["none", "optional", "required"],
        Field(description="Whether a case has to bring `expected.reference` to be judged."),
    ] = "optional"
    scale: Annotated[
        BinaryScale | GradedScale | ChecklistScale,
        Field(discriminator="kind", description="What the verdicts mean."),
    ]
    criteria: Annotated[list[Words], Field(description="What to look at.")] = []
    anchors: Annotated[list[Anchor], Field(description="Assessed examples.")] = []
    judge: Annotated[JudgePrompt, Field(description="Who judges, and how it is asked.")]
    calibration: Annotated[
        CalibrationSettings, Field(description="What it takes before the judge may gate.")
    ] = CalibrationSettings.model_construct()

    @model_validator(mode="after")
    def _fits_together(self) -> "RubricFile":
        if self.compare == "pair" and self.scale.kind != "binary":
            raise ValueError("a pair is compared on a binary scale: pass is the better output")
        if self.scale.kind != "checklist" and not self.criteria:
            raise ValueError("criteria is empty, so the judge is not told what to look at")
        graded = self.scale.kind == "graded"
        for number, anchor in enumerate(self.anchors):
            if (anchor.score is not None) != graded:
                wanted = "a score" if graded else "a verdict"
                raise ValueError(f"anchors[{number}] needs {wanted} on this scale")
        return self
