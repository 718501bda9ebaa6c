"""What the page of a measured judge says, and what it leaves to the figures."""

import io
import json

import msgspec
import pytest

from evalkit.records.asset import Rubric, RubricScale
from evalkit.records.calibration import (
    Agreement,
    Calibration,
    Confusion,
    CorrectedRate,
    Drift,
    JudgeMeasured,
    LabelCounts,
    Reliability,
    ReliabilityBin,
    Share,
)
from evalkit.records.label import LabellerKind
from evalkit.report.calibration.corrected_block import missing_words
from evalkit.report.calibration.document import calibration_json
from evalkit.report.calibration.reliability_plot import bin_line
from evalkit.report.calibration.terminal import calibration_text
from evalkit.report.calibration.wording import ceiling_words, labelled_words, number
from evalkit.report.screen import Screen

UTF8 = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
RUBRIC = Rubric(
    name="tone",
    version=1,
    digest="sha256:0",
    path="rubrics/tone/v1.yaml",
    scale=RubricScale(kind="binary"),
    criteria=("It is kind.",),
)
MEASURED = JudgeMeasured(
    counts=LabelCounts(tuning_passes=0, tuning_fails=0, test_passes=100, test_fails=80, double=40),
    labelled_by=("person",),
    confusion=Confusion(true_pass=95, false_fail=5, false_pass=8, true_fail=72),
    tpr=Share(value=0.95, lower=0.8876, upper=0.978, n=100),
    tnr=Share(value=0.9, lower=0.8150, upper=0.9485, n=80),
    youden=Share(value=0.85, lower=0.7443, upper=0.9061, n=180),
    agreement=Agreement(n=180, raw=0.928, kappa=0.853, kappa_interval=(0.78, 0.93), ac1=0.857),
    ceiling=Agreement(n=40, raw=0.95, kappa=0.9),
    abstained=0.02,
    rates=(
        CorrectedRate(
            method="naive",
            rate=Share(value=0.61, lower=0.54, upper=0.68, n=180),
            applies=False,
            why="The verdicts as they are.",
        ),
        CorrectedRate(
            method="rogan_gladen",
            rate=Share(value=0.56, lower=0.48, upper=0.64, n=180),
            applies=True,
            why="It takes out how often the judge errs.",
        ),
        CorrectedRate(method="ppi", rate=None, applies=False, why="The judge gives no scores."),
    ),
    width_pp=10,
    missing_labels=310,
    fit=True,
)


def calibration(measured: JudgeMeasured = MEASURED, drifted: Drift | None = None) -> Calibration:
    """A calibration of `tone@v1`."""
    return Calibration(
        schema="evalkit.calibration/1",
        rubric="tone@v1",
        judge="sha256:1",
        labels="sha256:2",
        asked="tiny on route judge",
        made_at="2026-05-04T09:30:00+00:00",
        evalkit="1.0",
        measured=measured,
        verdicts={"b": True, "a": None},
        drifted=drifted,
    )


def page(
    measured: JudgeMeasured = MEASURED,
    *,
    rubric: Rubric = RUBRIC,
    drifted: Drift | None = None,
    stored: str | None = "rubrics/tone/v1.calibration.json",
    notes: tuple[str, ...] = (),
    billed_usd: float | None = None,
    width: int = 100,
    stream: io.TextIOWrapper = UTF8,
) -> str:
    """The page, for a screen of this width."""
    return calibration_text(
        calibration(measured, drifted),
        rubric=rubric,
        stored=stored,
        notes=notes,
        billed_usd=billed_usd,
        screen=Screen(width=width),
        stream=stream,
    )


def changed(**changes: object) -> JudgeMeasured:
    """The measured judge with other values."""
    return msgspec.structs.replace(MEASURED, **changes)


def row(text: str, start: str) -> list[str]:
    """The words of the one line that starts like this."""
    (line,) = [each for each in text.splitlines() if each.strip().startswith(start)]
    return line.split()


def test_the_first_line_says_whether_the_judge_may_gate() -> None:
    assert page().splitlines()[0] == "FIT  tone@v1: this judge may gate"
    unfit = page(changed(fit=False, why=("It passes 60 % of the good outputs (TPR).",)))
    assert unfit.splitlines()[0] == "UNFIT  tone@v1: this judge may report, not gate"
    assert unfit.splitlines()[1].strip() == "It passes 60 % of the good outputs (TPR)."


def test_an_unfit_judge_is_said_to_end_with_0() -> None:
    assert "exit code 0" in page(changed(fit=False, why=("No.",)))
    assert "exit code" not in page()


def test_the_confusion_table_has_labels_down_and_verdicts_across() -> None:
    text = page()
    assert row(text, "label pass") == ["label", "pass", "95", "5", "0"]
    assert row(text, "label fail") == ["label", "fail", "8", "72", "0"]
    assert "Weighted" not in text


def test_a_weighted_table_says_what_its_counts_are() -> None:
    table = Confusion(true_pass=95.5, false_fail=5, false_pass=8, true_fail=72)
    assert "each label stands for the outputs it was drawn from" in page(changed(confusion=table))


def test_rates_stand_beside_what_their_lower_ends_have_to_reach() -> None:
    text = page()
    assert " ".join(row(text, "passes that")).endswith("95.0 % 88.8 to 97.8 % 100 80.0 %")
    assert row(text, "fails that")[-2:] == ["70.0", "%"]
    assert row(text, "J =")[-2:] == ["50.0", "%"]


def test_a_bound_that_misses_by_a_hair_is_shown_with_the_digits_that_tell() -> None:
    share = Share(value=0.9, lower=0.79996, upper=0.95, n=100)
    assert row(page(changed(tpr=share)), "passes that")[-2:] == ["80.000", "%"]


def test_rates_that_are_not_known_are_dashes() -> None:
    assert row(page(changed(tnr=None)), "fails that")[5:8] == ["–", "–", "0"]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (("person",), "labels made by people"),
        (("model",), "labels made by a model (not by people)"),
        (("rule",), "labels made by a rule (not by people)"),
        (("model", "rule"), "labels made by a model and a rule (not by people)"),
        (("person", "model"), "labels made by people and a model (not by people alone)"),
        ((), "no labels"),
    ],
)
def test_labels_that_no_person_made_are_never_called_human(
    by: tuple[LabellerKind, ...], words: str
) -> None:
    assert labelled_words(by) == words


def test_the_ceiling_is_human_only_where_every_label_is() -> None:
    assert (ceiling_words(True), ceiling_words(False)) == ("human ceiling", "labeller ceiling")
    text = page(changed(labelled_by=("model",)))
    assert "human" not in text
    assert "not by people" in text and "labeller ceiling" in text


def test_agreement_is_told_and_said_not_to_decide() -> None:
    text = page()
    assert "never what a judge is fit by" in text
    figures = "180 92.8 % 0.85 (0.78 to 0.93) 0.86 –"
    assert " ".join(row(text, "judge and label")) == f"judge and label {figures}"


def test_without_double_labels_the_ceiling_is_said_to_be_unknown() -> None:
    assert "no output was labelled twice" in page(changed(ceiling=None))


def test_the_method_that_applies_is_the_only_one_marked() -> None:
    text = page()
    assert row(text, "Rogan-Gladen  ")[-1] == "applies"
    assert text.count("applies") == 1
    assert "It takes out how often the judge errs." in text


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        (310, "310 more labels would give an interval 10 pp wide"),
        (1, "1 more label would give an interval 10 pp wide"),
        (0, "enough for an interval 10 pp wide"),
        (None, "how many an interval 10 pp wide takes cannot be told from these"),
    ],
)
def test_missing_labels_are_counted_for_the_wanted_width(missing: int | None, words: str) -> None:
    assert missing_words(changed(missing_labels=missing)) == words


def test_nobody_is_told_of_labels_they_did_not_ask_about() -> None:
    assert missing_words(changed(width_pp=None)) is None


def test_a_threshold_says_who_chose_it() -> None:
    graded = msgspec.structs.replace(RUBRIC, scale=RubricScale(kind="graded", highest=5))
    fixed = msgspec.structs.replace(RUBRIC, scale=RubricScale(kind="graded", pass_from=4))
    measured = changed(threshold=4.0)
    assert "a score passes from 4 on, chosen on the tuning part" in page(measured, rubric=graded)
    assert "a score passes from 4 on, as the rubric says" in page(measured, rubric=fixed)


def bin_of(predicted: float, observed: float, lower: float, upper: float) -> ReliabilityBin:
    """A bin of twenty labels."""
    share = Share(value=observed, lower=lower, upper=upper, n=20)
    return ReliabilityBin(n=20, lowest=3, highest=3, predicted=predicted, observed=share)


@pytest.mark.parametrize(
    ("each", "line"),
    [
        (bin_of(0.0, 0.5, 0.3, 0.7), "│··──●──···"),
        (bin_of(0.5, 0.5, 0.3, 0.7), "···──◉──···"),
        (bin_of(1.0, 0.9, 0.8, 1.0), "········─●│"),
    ],
)
def test_a_bin_is_drawn_between_0_and_100_percent(each: ReliabilityBin, line: str) -> None:
    drawn = bin_line(each, 11)
    assert len(drawn) == 11
    assert drawn.replace("·", " ").strip() == line.replace("·", " ").strip()
    assert drawn.index("●" if "●" in line else "◉") == round(each.observed.value * 10)


def test_a_graded_judge_has_its_reliability_drawn_with_what_the_terminal_has() -> None:
    reliability = Reliability(
        method="platt", bins=(bin_of(0.2, 0.4, 0.3, 0.6),), ece=0.2, brier=0.17, auc=0.81
    )
    measured = changed(reliability=reliability)
    assert "●" in page(measured)
    assert "ECE 0.20, Brier 0.17, AUC 0.81" in page(measured)
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    text = page(measured, stream=ascii_only)
    assert "●" not in text and "o labelled pass" in text


def test_drift_is_told_with_its_test_and_its_way_out() -> None:
    drift = Drift(test="mcnemar", n=200, changed=20, p=0.0000019, at="2026-05-04")
    text = " ".join(page(drifted=drift).split())
    assert "20 verdicts of 200 on the same outputs changed" in text
    assert "p < 0.0001" in text and "--no-cache" in text


def test_what_is_not_stored_is_said_beside_the_notes() -> None:
    text = page(stored=None, notes=("It was another judge.",), billed_usd=0.25)
    assert row(text, "stored") == ["stored", "not", "stored"]
    assert row(text, "note")[1:] == ["It", "was", "another", "judge."]
    assert row(text, "spent") == ["spent", "$0.2500"]


def test_names_cannot_write_control_characters_onto_the_page() -> None:
    assert "\x1b" not in page(notes=("an \x1b[31merror",), stored="a\x1b[2Jb")


@pytest.mark.parametrize("width", [40, 60, 80, 110])
def test_no_paragraph_is_wider_than_the_screen(width: int) -> None:
    text = page(
        changed(fit=False, why=("A long reason that has to wrap somewhere." * 3,)), width=width
    )
    prose = [line for line in text.splitlines() if "evalkit judge" not in line]
    assert max(len(line) for line in prose[:6]) <= width


@pytest.mark.parametrize(("n", "words"), [(100.0, "100"), (1250.0, "1,250"), (61.25, "61.2")])
def test_effective_numbers_have_a_decimal_and_counts_have_none(n: float, words: str) -> None:
    assert number(n) == words


def test_the_json_is_the_record_with_sorted_keys() -> None:
    text = calibration_json(calibration())
    data = json.loads(text)
    assert msgspec.convert(data, Calibration) == calibration()
    assert list(data) == sorted(data)
    assert list(data["verdicts"]) == ["a", "b"]
