from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.records.case import Case
from evalkit.records.cases import Cases, CasesBuilder, IdIndex, MemoryTexts

MANY = 5_000  # more than are held as objects


def case(number: int, **more: object) -> Case:
    return Case(**{"id": f"c{number}", "input": {"n": number}, **more})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def many() -> Cases:
    return Cases.of(map(case, range(MANY)), {f"c{n}": n + 1 for n in range(MANY)})


def test_cases_are_read_again_and_again_in_order(many: Cases) -> None:
    assert [each.id for each in many] == [f"c{n}" for n in range(MANY)]
    assert list(many.ids()) == [f"c{n}" for n in range(MANY)]
    assert len(list(many)) == len(many) == MANY


def test_a_case_is_found_by_id_place_and_line(many: Cases) -> None:
    assert many.by_id("c4711") == many[4711] == many[4711 - MANY] == case(4711)
    assert (many.position("c4711"), many.line_of("c4711"), many.line_at(0)) == (4711, 4712, 1)
    assert (many.position("x"), many.find("x"), many.line_of("x"), many.has("x")) == (
        *[None] * 3,
        False,
    )
    with pytest.raises(KeyError):
        many.by_id("x")
    with pytest.raises(IndexError):
        many[MANY]


def test_a_selection_shares_its_texts_and_keeps_its_lines(many: Cases) -> None:
    some = many.where(lambda each: each.input["n"] % 1000 == 7)
    assert [each.id for each in some] == ["c7", "c1007", "c2007", "c3007", "c4007"]
    assert some.line_of("c2007") == 2008
    assert not some.has("c8")
    assert [each.id for each in some[1:3]] == ["c1007", "c2007"]
    assert many.where(lambda each: True) is many


@pytest.mark.parametrize("number", [10, MANY])
def test_only_a_changed_case_takes_room(number: int) -> None:
    texts = MemoryTexts()
    building = CasesBuilder(texts)
    for each in map(case, range(number)):
        building.add(b'{"id": "%s", "input": {}}' % each.id.encode())
    cases = building.result()
    size = texts.add(b"")
    assert cases.map(lambda each: each) is cases
    changed = cases.map(lambda each: case(3) if each.id == "c3" else each)
    assert changed[3] == changed.by_id("c3") == case(3)
    assert cases[3] == Case(id="c3", input={})
    assert changed[2] == cases[2]
    assert texts.add(b"") - size < 30


def test_cases_equal_any_sequence_of_the_same() -> None:
    cases = Cases.of([case(1), case(2)])
    assert cases == (case(1), case(2)) == Cases.of([case(1), case(2)], {"c1": 4})
    assert cases != [case(2), case(1)]
    assert cases != [case(1)]
    assert case(2) in cases and case(3) not in cases


def test_cases_of_one_group_count_once() -> None:
    assert Cases.of([case(1, group="a"), case(2, group="a"), case(3)]).groups == 2


@given(st.lists(st.integers(0, 30), max_size=60))
def test_lines_are_told_as_runs(lines: list[int]) -> None:
    cases = Cases.of(map(case, range(len(lines)))).with_lines(array("I", lines))
    told = [
        first + more if first else 0 for first, many in cases.line_runs() for more in range(many)
    ]
    assert told == lines


@given(st.lists(st.text(max_size=3)))
def test_an_index_finds_the_first_place_of_every_id(ids: list[str]) -> None:
    index = IdIndex(ids.__getitem__)
    assert [index.add(id_) for id_ in ids] == [
        ids.index(id_) if id_ in ids[:at] else None for at, id_ in enumerate(ids)
    ]
    for id_ in [*ids, "none of these"]:
        assert index.find(id_) == (ids.index(id_) if id_ in ids else None)
