"""Which outputs of a run are labelled, and what each of them stands for."""

from collections import Counter

import msgspec
import pytest

from evalkit.errors import UsageError
from evalkit.workflows.judges.sampling import allocate, drawables_of, part_of, sample_run
from tests.labelled import item, rubric
from tests.unit.workflows.judges.run_samples import RUN, attempt, stored_run

MANY = [f"reply {number}" for number in range(200)]
FEW_FAILS = [number >= 20 for number in range(200)]


def test_what_the_judge_failed_is_drawn_more_often_and_weighs_less() -> None:
    run = stored_run({"candidate": MANY}, {"candidate": FEW_FAILS})
    drawn = sample_run(run, rubric(), 40)
    weights = Counter(each.weight for each in drawn)
    assert weights == {20 / 20: 20, 180 / 20: 20}
    assert sum(each.weight for each in drawn) == pytest.approx(200)
    failed = {each.source["case"] for each in drawn if each.weight == 1.0}
    assert failed == {f"m{number:03}" for number in range(20)}


def test_weighted_the_sample_has_the_pass_rate_of_the_run() -> None:
    fails = [number % 7 != 0 for number in range(200)]
    run = stored_run({"candidate": MANY}, {"candidate": fails})
    drawn = sample_run(run, rubric(), 60)
    passed = sum(each.weight for each in drawn if fails[int(each.source["case"][1:])])
    assert passed / sum(each.weight for each in drawn) == pytest.approx(sum(fails) / 200)


def test_one_run_gives_one_sample_and_a_larger_one_adds_to_it() -> None:
    run = stored_run({"candidate": MANY}, {"candidate": FEW_FAILS})
    ids = {count: {each.id for each in sample_run(run, rubric(), count)} for count in (10, 11, 50)}
    assert ids[10] == {each.id for each in sample_run(run, rubric(), 10)}
    assert ids[10] < ids[11] < ids[50]
    other = msgspec.structs.replace(run, record=msgspec.structs.replace(run.record, id="other"))
    assert {each.id for each in sample_run(other, rubric(), 10)} != ids[10]


def test_both_outputs_of_a_case_are_drawn_together_with_one_weight() -> None:
    run = stored_run(
        {"baseline": [f"old {n}" for n in range(50)], "candidate": MANY[:50]},
        {"baseline": [True] * 50, "candidate": [n > 4 for n in range(50)]},
    )
    drawn = sample_run(run, rubric(), 20)
    assert len(drawn) == 20
    by_case: dict[str, list[tuple[str, float]]] = {}
    for each in drawn:
        found = by_case.setdefault(each.source["case"], [])
        found.append((each.source["variant"], each.weight))
    assert all(sorted(v for v, _ in arms) == ["baseline", "candidate"] for arms in by_case.values())
    assert all(len({weight for _, weight in arms}) == 1 for arms in by_case.values())


def test_equal_outputs_are_labelled_once() -> None:
    run = stored_run({"baseline": ["same", "old"], "candidate": ["same ", "new"]})
    outputs = [each.subject.output for each in sample_run(run, rubric(), 100)]
    assert sorted(outputs) == ["new", "old", "same"]


def test_the_item_tells_where_its_output_comes_from_and_has_no_label() -> None:
    (found,) = sample_run(stored_run({"candidate": ["hello"]}), rubric(), 1)
    assert found.labels == () and found.subject.input == {"n": 0}
    assert found.source == {
        "model": "tiny",
        "run": RUN,
        "suite": "mail",
        "variant": "candidate",
        "case": "m000",
        "trial": 1,
        "content": "sha256:candidate",
    }


def test_a_pair_is_drawn_as_one() -> None:
    run = stored_run(
        {"baseline": ["old", "alone", ""], "candidate": ["new", "", "too"]}, compare="pair"
    )
    (found,) = sample_run(run, rubric(compare="pair"), 10)
    assert (found.subject.output, found.subject.other) == ("new", "old")
    assert found.source["variant"] == "candidate"


def test_what_has_no_answer_or_was_lent_is_not_labelled() -> None:
    run = stored_run({"candidate": ["", "yes"]})
    lent = attempt("candidate", 0, "lent", trial=2, pooled_from="other")
    run = msgspec.structs.replace(run, attempts=(*run.attempts, lent))
    assert [each.subject.output for each in sample_run(run, rubric(), 9)] == ["yes"]
    with pytest.raises(UsageError, match=r"no output that tone@v1 could judge"):
        sample_run(stored_run({"candidate": [""]}), rubric(), 9)


def test_of_several_trials_the_first_that_both_arms_have_stands_for_the_case() -> None:
    run = stored_run({"baseline": [""], "candidate": ["one"]})
    second = [attempt("baseline", 0, "old", trial=2), attempt("candidate", 0, "two", trial=2)]
    run = msgspec.structs.replace(run, attempts=(*run.attempts, *second))
    assert sorted(each.subject.output for each in sample_run(run, rubric(), 9)) == ["old", "two"]


def test_a_run_that_the_rubric_does_not_judge_needs_a_suite() -> None:
    run = stored_run({"candidate": ["a"]}, judges=False)
    with pytest.raises(UsageError, match=r"no suite of run .* is judged by tone@v1.*--suite mail"):
        sample_run(run, rubric(), 9)
    assert len(sample_run(run, rubric(), 9, suite="mail")) == 1
    with pytest.raises(UsageError, match=r"no suite 'mali'; it has mail"):
        sample_run(run, rubric(), 9, suite="mali")


def test_what_the_judge_gave_no_verdict_on_is_drawn_in_proportion() -> None:
    verdicts = [None] * 20 + [False] * 40 + [True] * 140
    run = stored_run({"candidate": MANY}, {"candidate": verdicts})
    strata = Counter(each.stratum for each in drawables_of(run, rubric()))
    assert strata == {"unjudged": 20, "fail": 40, "pass": 140}
    assert allocate(strata, 50) == {"unjudged": 5, "fail": 23, "pass": 22}


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [
        ({"fail": 10, "pass": 90}, 20, {"fail": 10, "pass": 10}),
        ({"fail": 4, "pass": 96}, 20, {"fail": 4, "pass": 16}),
        ({"fail": 80, "pass": 20}, 20, {"fail": 16, "pass": 4}),
        ({"fail": 100, "pass": 0}, 20, {"fail": 20}),
        ({"pass": 30}, 20, {"pass": 20}),
        ({"unjudged": 30}, 20, {"unjudged": 20}),
        ({"fail": 3, "pass": 3}, 100, {"fail": 3, "pass": 3}),
        ({"fail": 50, "pass": 50}, 1, {"fail": 1, "pass": 1}),
    ],
)
def test_half_of_the_sample_are_fails_where_there_are_that_many(
    sizes: dict, count: int, expected: dict[str, int]
) -> None:
    assert allocate(sizes, count) == expected


def test_three_of_four_items_measure_and_the_id_alone_decides() -> None:
    parts = Counter(part_of(item(f"reply {number}").id) for number in range(2000))
    assert 0.71 < parts["test"] / 2000 < 0.79
    assert part_of("0123456789abcdef") == part_of("0123456789abcdef")
