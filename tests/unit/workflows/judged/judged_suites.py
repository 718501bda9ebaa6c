"""Suites whose judge said what a few letters say, built in memory.

A letter is an attempt: P and F are verdicts, T a tie of a pair; A (abstained), U (unparseable), R
(refused) and E (error) have none; N gave no answer, which is a fail that nobody judges; - is a case
that the judge does not apply to; ? was not scored. Lower case took its opinion over from another
attempt; ! behind a letter marks calls that differed.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.records.attempt import Attempt, Place
from evalkit.records.calibration import JudgeStanding
from evalkit.records.case import Case
from evalkit.records.cases import Cases
from evalkit.records.judgment import Judgment, JudgmentState, Opinion
from evalkit.records.label import LabelledItem
from evalkit.records.lookup import HeldScores
from evalkit.records.run import JudgeSetting, SuiteSnapshot
from evalkit.records.score import Score, ScoreState
from tests.labelled import item, label, rubric

ASKED: dict[str, JudgmentState] = {
    **dict.fromkeys("PFT", "judged"),
    "A": "abstained",
    "U": "unparseable",
    "R": "refused",
    "E": "error",
}
PASSED = {"P": True, "F": False, "N": False}
FIT = JudgeStanding(standing="fit", tpr=0.9, tnr=0.8, n_pass=100, n_fail=100)
Letters = Sequence[str]
"""A text a case, a letter a trial."""


def setting(**changes: Any) -> JudgeSetting:
    """A fit judge that gates at 3 pp; `compare`, `floor_of` and `owner` are its rubric's."""
    of_rubric: dict[str, Any] = {
        key: changes.pop(key) for key in ("compare", "floor_of", "owner") if key in changes
    }
    if "floor_of" in of_rubric:
        of_rubric["floor"] = of_rubric.pop("floor_of")
    return JudgeSetting(
        **{
            "scorer": "tone",
            "rubric": rubric(**of_rubric),
            "judge": "sha256:1",
            "asked": "m-1 on route judge",
            "standing": FIT,
            "margin_pp": 3.0,
            "assume_equal_errors": True,
            **changes,
        }
    )


class JudgedSuite:
    """A suite `mail` with attempts, scores and judgments by arm."""

    def __init__(
        self,
        arms: Mapping[str, Letters],
        judge: JudgeSetting | None = None,
        *,
        groups: Sequence[str | None] | None = None,
        **changes: Any,
    ) -> None:
        self.judge = judge or setting()
        count = len(next(iter(arms.values())))
        groups = groups or [None] * count
        self.snapshot = SuiteSnapshot(
            **{
                "suite": "mail",
                "golden": "mail@v1",
                "golden_path": "goldensets/mail/v1",
                "cases": Cases.of(
                    Case(id=f"m{n}", input={"n": n}, group=group) for n, group in enumerate(groups)
                ),
                "scorers": ({"judge": "tone@v1"},),
                "gate": {},
                "has_baseline": "baseline" in arms,
                "trials": 1,
                "judges": (self.judge,),
                **changes,
            }
        )
        self.attempts: dict[tuple[str, str], dict[int, Attempt]] = {}
        self.scores: dict[Place, list[Score]] = {}
        self.judgments: dict[Place, Judgment] = {}
        for variant, letters in arms.items():
            for number, trials in enumerate(letters):
                for trial, letter in enumerate(re.findall(r"[A-Za-z?-]!?", trials), start=1):
                    self._add(variant, f"m{number}", trial, letter)

    @property
    def found_scores(self) -> HeldScores:
        """The scores, found by the place of their attempt."""
        return HeldScores(score for each in self.scores.values() for score in each)

    def arm_of(self, variant: str, case: str) -> Mapping[int, Attempt]:
        """The attempts of a case in an arm, by trial."""
        return self.attempts.get((variant, case), {})

    def lend(self, variant: str, case: str, trial: int, letter: str) -> None:
        """An attempt that another run lends as a further trial."""
        self._add(variant, case, trial, letter, pooled_from="earlier", measurement_id=f"x{trial}")

    def _add(self, variant: Any, case: str, trial: int, letter: str, **more: Any) -> None:
        kind = letter[0].upper()
        attempt = Attempt(
            at="", variant=variant, suite="mail", case=case, trial=trial, key="k",
            state="error" if kind == "E" else "answered", **more,
        )  # fmt: skip
        self.attempts.setdefault((variant, case), {})[trial] = attempt
        state: dict[str, ScoreState] = {"A": "abstained", "U": "unparseable", "R": "refused",
                                        "E": "error", "-": "not_applicable"}  # fmt: skip
        if kind != "?":
            self.scores[attempt.place] = [
                Score(
                    suite="mail", variant=variant, case=case, trial=trial, scorer="other",
                    kind="exact", state="scored", passed=False, gate=True,
                ),
                Score(
                    suite="mail", variant=variant, case=case, trial=trial, scorer="tone",
                    kind="judge", state=state.get(kind, "scored"), passed=PASSED.get(kind),
                    gate=False,
                ),
            ]  # fmt: skip
        if kind in ASKED:
            self.judgments[attempt.place] = Judgment(
                at="", suite="mail", variant=variant, case=case, trial=trial, scorer="tone",
                rubric="tone@v1", judge="sha256:1", subject=f"{variant} {case} {trial}",
                opinion=Opinion(
                    state=ASKED[kind], passed=PASSED.get(kind), split=letter.endswith("!"),
                ),
                shared=letter[0].islower(),
            )  # fmt: skip


def labels_on(
    suite: JudgedSuite, truths: Mapping[str, Mapping[str, bool]], **changes: Any
) -> list[LabelledItem]:
    """Labels on judged outputs, by arm and case."""
    return [
        item(
            f"{variant} {case}",
            label(passed, by=changes.get("by", "person")),
            id=suite.judgments["mail", variant, case, 1].subject,
            weight=changes.get("weight", 1.0),
        )
        for variant, cases in truths.items()
        for case, passed in cases.items()
    ]
