"""Why a judge may not gate, in words for whoever reads the verdict."""

import msgspec
import pytest

from evalkit.judge.fitness import makers, notes, why_unfit
from evalkit.judge.items import JudgedItem
from evalkit.judge.measuring import measure
from evalkit.records.asset import CalibrationFloor
from evalkit.records.calibration import JudgeMeasured, Share
from tests.unit.judge.conftest import MakeItems

ANYONE = CalibrationFloor(labelled_by="anyone")


@pytest.fixture
def fit(make_items: MakeItems) -> JudgeMeasured:
    """Figures of a judge that is fit by the usual floor."""
    items = make_items(true_pass=95, false_fail=5, false_pass=5, true_fail=95)
    return measure(items, floor=ANYONE, labelled_by=("model",))


def _with(measured: JudgeMeasured, **changes: object) -> JudgeMeasured:
    return msgspec.structs.replace(measured, **changes)


def _share(lower: float, value: float = 0.95) -> Share:
    return Share(value=value, lower=lower, upper=0.99, n=100)


def test_a_good_judge_with_enough_labels_is_fit(fit: JudgeMeasured) -> None:
    assert why_unfit(fit, ANYONE) == ()
    assert fit.fit and fit.why == ()


@pytest.mark.parametrize(("name", "floor"), [("tpr", 0.8), ("tnr", 0.7), ("youden", 0.5)])
def test_a_lower_bound_at_the_floor_is_fit_and_just_below_it_is_not(
    fit: JudgeMeasured, name: str, floor: float
) -> None:
    assert why_unfit(_with(fit, **{name: _share(floor)}), ANYONE) == ()
    below = _share(floor - 1e-9)
    (why,) = why_unfit(_with(fit, **{name: below}), ANYONE)
    assert f"it may be only just under {floor:.0%}".replace("%", " %") in why


@pytest.mark.parametrize(("name", "kind"), [("test_passes", "pass"), ("test_fails", "fail")])
def test_fifty_labels_of_a_kind_are_enough_and_forty_nine_are_not(
    fit: JudgeMeasured, name: str, kind: str
) -> None:
    enough = msgspec.structs.replace(fit.counts, **{name: 50})
    assert why_unfit(_with(fit, counts=enough), ANYONE) == ()
    few = msgspec.structs.replace(fit.counts, **{name: 49})
    assert why_unfit(_with(fit, counts=few), ANYONE) == (
        f"49 test labels say {kind}; at least 50 have to, so 1 more of them is needed.",
    )


def test_a_tenth_without_a_verdict_is_allowed_and_more_is_not(fit: JudgeMeasured) -> None:
    assert why_unfit(_with(fit, abstained=0.1), ANYONE) == ()
    assert why_unfit(_with(fit, abstained=0.1004), ANYONE) == (
        "It gave no verdict on 10.04 % of the test outputs; at most 10 % is allowed.",
    )


def test_a_poor_judge_is_told_from_one_with_too_few_labels(make_items: MakeItems) -> None:
    poor = measure(
        make_items(true_pass=90, false_fail=10, false_pass=60, true_fail=40),
        floor=ANYONE,
        labelled_by=("model",),
    )
    assert [why for why in poor.why if "(TNR)" in why] == [
        "It fails 40 % of the bad outputs (TNR), perhaps only 30.9 %; at least 70 % is required."
    ]
    few = measure(
        make_items(true_pass=45, false_fail=5, false_pass=0, true_fail=50),
        floor=ANYONE,
        labelled_by=("model",),
    )
    assert few.why == (
        "It passes 90 % of the good outputs (TPR), but by these labels it may be only 78.6 %; at "
        "least 80 % has to be sure. More labels may show that it is.",
    )


def test_a_judge_worse_than_chance_is_called_so(make_items: MakeItems) -> None:
    items = make_items(true_pass=40, false_fail=60, false_pass=60, true_fail=40)
    why = measure(items, floor=ANYONE, labelled_by=("model",)).why
    assert any("not tell good outputs from bad ones better than chance" in each for each in why)
    assert any("it shows -20 % (J = TPR + TNR - 1); at least 50 % is required" in w for w in why)


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (("model",), "The labels were made by a model"),
        (("model", "rule"), "The labels were made by a model and a rule"),
        (("person", "rule"), "Some of the labels were made by a rule"),
    ],
)
def test_labels_that_people_did_not_make_are_refused_unless_the_rubric_takes_them(
    fit: JudgeMeasured, by: tuple[str, ...], words: str
) -> None:
    measured = _with(fit, labelled_by=by)
    assert why_unfit(measured, ANYONE) == ()
    (why,) = why_unfit(measured, CalibrationFloor())
    assert why.startswith(words) and "people only" in why


def test_labels_of_people_are_taken(fit: JudgeMeasured) -> None:
    assert why_unfit(_with(fit, labelled_by=("person",)), CalibrationFloor()) == ()


def test_every_reason_is_given_at_once(make_items: MakeItems) -> None:
    items = make_items(true_pass=3, false_fail=3, false_pass=3, true_fail=3, abstained_fail=3)
    why = measure(items, floor=CalibrationFloor(), labelled_by=("rule",)).why
    assert len(why) == 7
    assert all(each.endswith(".") for each in why)


def test_a_floor_of_ones_own_is_the_one_that_counts(fit: JudgeMeasured) -> None:
    strict = CalibrationFloor(labelled_by="anyone", min_tpr=0.9, min_passes=101)
    assert len(why_unfit(fit, strict)) == 2


def test_advice_is_no_reason_against_a_judge(make_items: MakeItems) -> None:
    items = make_items(true_pass=95, false_fail=5, false_pass=5, true_fail=95)
    measured = measure(items, floor=ANYONE, labelled_by=("model",), disputed=2)
    assert measured.fit
    told = notes(measured)
    assert "Two labellers agree on 0 % of the 2 outputs that both labelled" in told[0]
    assert told[1].startswith("2 outputs are labelled twice; at least 30 are advised")
    assert told[2].startswith("2 outputs await a decision")
    assert told[3] == "The labels were made by a model, not by people alone."


def test_thirty_double_labels_of_people_need_no_advice() -> None:
    items = [
        JudgedItem(truth=i % 2 == 0, verdict=i % 2 == 0, first=i % 2 == 0, second=i % 2 == 0)
        for i in range(30)
    ]
    told = notes(measure(items, floor=ANYONE, labelled_by=("person",)))
    assert told == (
        "Two labellers agree on 100 % of the 30 outputs that both labelled: more agreement with "
        "the labels cannot be expected of a judge.",
    )


def test_a_threshold_that_few_labels_chose_is_noted() -> None:
    items = [
        JudgedItem(truth=i > 2, score=float(i), part=part)  # type: ignore[arg-type]
        for i in range(1, 6)
        for part in ("tuning", "test")
    ]
    measured = measure(items, floor=ANYONE, scale_bounds=(1, 5), labelled_by=("person",))
    assert "Only 5 labels could choose the threshold" in notes(measured, graded=True)[-1]
    assert "threshold" not in " ".join(notes(measured))


def test_makers_of_labels_are_named() -> None:
    assert makers(("person",)) == "people"
    assert makers(("person", "model", "rule")) == "people, a model and a rule"
