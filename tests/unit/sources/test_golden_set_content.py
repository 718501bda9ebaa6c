"""What the golden sets, their tools and their scripted replies hold, apart from any code."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

JsonObject = dict[str, Any]

ROOT = Path(__file__).parents[3]
SETS = sorted(ROOT.glob("goldensets/*/v1"))
SCRIPTED = sorted(ROOT.glob("scripted/*.jsonl"))

LEAST_CASES = {"contract_review": 200, "support_triage": 200, "ticket_routing": 240}
LEAST_LABELS = {"contract_review": 5, "support_triage": 10, "ticket_routing": 6}
LEAST_IN_SLICE = {
    "contract_review": {
        "action": 40,
        "amended": 15,
        "approval": 30,
        "conflicting": 15,
        "dates": 40,
        "definitions": 15,
        "high_risk": 50,
        "injection": 15,
        "non_english": 60,
        "not_stated": 20,
        "numeric": 100,
    },
    "support_triage": dict.fromkeys(
        ("ambiguous", "high_risk", "injection", "non_english", "pii"), 15
    ),
}

ADDRESS = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
LINK = re.compile(r"https?://([\w.-]+)")
RESERVED_DOMAIN = re.compile(r"(?:.+\.)?(?:example\.(?:com|net|org)|example|test|invalid)")
PHONE = re.compile(r"\+\d[\d ()-]{7,}\d|\b555[ -]\d{4}\b")
# Numbers kept free for fiction: GB (Ofcom), US, FR (ARCEP) and DE (Bundesnetzagentur).
FICTITIOUS_PHONE = re.compile(
    r"\+447700900\d{3}|\+442079460\d{3}|\+441632960\d{3}|(?:\+1\d{3})?55501\d{2}"
    r"|\+33(?:199|261|353|465|536)\d{6}|\+3363998\d{4}|\+493023125\d{3}"
)
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
CARD = re.compile(r"(?<![\w ])(?:\d{4}[ -]?){3}\d{4}(?![ \w])")
PUBLISHED_ACCOUNTS = {
    "DE89370400440532013000",
    "FR1420041010050500013M02606",
    "GB82WEST12345698765432",
    "4111111111111111",
    "4242424242424242",
    "5555555555554444",
}


def _name(folder_or_file: Path) -> str:
    is_set = folder_or_file.parent.parent.name == "goldensets"
    return folder_or_file.parent.name if is_set else folder_or_file.stem


def _lines(path: Path) -> list[JsonObject]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _cases(golden_set: Path) -> list[JsonObject]:
    return _lines(golden_set / "cases.jsonl")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _label(case: JsonObject) -> object:
    expected = case["expected"]
    return next((expected[key] for key in ("intent", "answer", "output") if key in expected), None)


def _text(case: JsonObject) -> str:
    return " ".join(_strings({k: v for k, v in case["input"].items() if k != "channel"}))


def _trigrams(text: str) -> set[str]:
    normal = re.sub(r"\W+", " ", text.lower()).strip()
    return {normal[at : at + 3] for at in range(len(normal) - 2)}


def _alike(texts: list[str]) -> set[tuple[int, int]]:
    """Pairs with a trigram Jaccard of at least one half.

    Two such sets share one of the rarest half of their trigrams, plus one; only those are indexed.
    """
    grams = [_trigrams(text) for text in texts]
    frequency = Counter(gram for each in grams for gram in each)
    index: defaultdict[str, list[int]] = defaultdict(list)
    pairs = set()
    for this, mine in enumerate(grams):
        rarest_first = sorted(mine, key=lambda gram: (frequency[gram], gram))
        rare = rarest_first[: len(mine) // 2 + 1]
        for other in {other for gram in rare for other in index[gram]}:
            if 2 * len(mine & grams[other]) >= len(mine | grams[other]):
                pairs.add((other, this))
        for gram in rare:
            index[gram].append(this)
    return pairs


def _material(case: JsonObject) -> set[str] | None:
    """The documents a question is about; None where the input alone is the case."""
    if "question" not in case["input"]:
        return None
    return {document["id"] for document in case.get("documents", [])}


def _may_be_alike(one: JsonObject, other: JsonObject) -> bool:
    if one.get("group", one["id"]) == other.get("group", other["id"]):
        return True
    mine, theirs = _material(one), _material(other)
    return mine is not None and theirs is not None and mine.isdisjoint(theirs)


over_sets = pytest.mark.parametrize("golden_set", SETS, ids=_name)
over_scripted = pytest.mark.parametrize("scripted", SCRIPTED, ids=_name)


@over_sets
def test_a_set_is_named_after_its_folder(golden_set: Path) -> None:
    described = yaml.safe_load((golden_set / "set.yaml").read_text(encoding="utf-8"))

    assert (described["name"], f"v{described['version']}") == (_name(golden_set), golden_set.name)


@over_sets
def test_case_ids_are_unique(golden_set: Path) -> None:
    ids = Counter(case["id"] for case in _cases(golden_set))

    assert [case_id for case_id, times in ids.items() if times > 1] == []


@over_sets
def test_a_set_has_enough_cases(golden_set: Path) -> None:
    assert len(_cases(golden_set)) >= LEAST_CASES.get(_name(golden_set), 1)


@over_sets
def test_a_set_has_enough_labels(golden_set: Path) -> None:
    labels = {_label(case) for case in _cases(golden_set)}

    assert len(labels) >= LEAST_LABELS.get(_name(golden_set), 1)


@over_sets
def test_slices_are_large_enough_to_judge(golden_set: Path) -> None:
    tags = Counter(tag for case in _cases(golden_set) for tag in case["tags"])
    least = LEAST_IN_SLICE.get(_name(golden_set), {})

    assert {tag: tags[tag] for tag, n in least.items() if tags[tag] < n} == {}


def test_every_intent_and_priority_of_the_triage_schema_occurs() -> None:
    schema = json.loads((ROOT / "schemas/triage.json").read_text(encoding="utf-8"))
    cases = _cases(ROOT / "goldensets/support_triage/v1")

    for part in ("intent", "priority"):
        used = {case["expected"][part] for case in cases}
        assert used == set(schema["properties"][part]["enum"])


@over_sets
def test_cases_of_different_groups_are_not_near_duplicates(golden_set: Path) -> None:
    cases = _cases(golden_set)
    alike = _alike([_text(case) for case in cases])

    assert [
        (cases[one]["id"], cases[other]["id"])
        for one, other in sorted(alike)
        if not _may_be_alike(cases[one], cases[other])
    ] == []


def test_near_duplicates_are_told_from_other_texts() -> None:
    texts = ["My reader is broken since Monday.", "Cancel the plan", "my reader is broken, monday"]

    assert _alike([*texts, "", ""]) == {(0, 2)}


@over_sets
def test_variants_name_a_case_of_their_group(golden_set: Path) -> None:
    cases = {case["id"]: case for case in _cases(golden_set)}
    variants = [case for case in cases.values() if "variant_of" in case.get("source", {})]

    for case in variants:
        original = cases[case["source"]["variant_of"]]
        assert case.get("group") is not None
        assert original.get("group") == case["group"]


@pytest.mark.parametrize(
    "path",
    [*(each / "cases.jsonl" for each in SETS), *SCRIPTED],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_addresses_links_phones_and_accounts_belong_to_nobody(path: Path) -> None:
    text = "\n".join(string for line in _lines(path) for string in _strings(line))

    hosts = {*ADDRESS.findall(text), *LINK.findall(text)}
    assert [host for host in hosts if not RESERVED_DOMAIN.fullmatch(host)] == []
    phones = {re.sub(r"[ ()-]", "", phone) for phone in PHONE.findall(text)}
    assert [phone for phone in phones if not FICTITIOUS_PHONE.fullmatch(phone)] == []
    accounts = {re.sub(r"[ -]", "", number) for number in IBAN.findall(text) + CARD.findall(text)}
    assert accounts - PUBLISHED_ACCOUNTS == set()


@over_sets
def test_expected_tool_calls_fit_the_declared_tools(golden_set: Path) -> None:
    tools = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in ROOT.glob("tools/*.json")
    }
    for case in _cases(golden_set):
        assert set(case["expected"].get("forbidden_tools", [])) <= set(tools)
        for made in case["expected"].get("tool_calls", []):
            assert made["name"] not in case["expected"].get("forbidden_tools", [])
            parameters = tools[made["name"]]["parameters"]
            assert set(parameters["required"]) <= set(made["arguments"])
            for argument, value in made["arguments"].items():
                declared = parameters["properties"][argument]
                assert value in declared.get("enum", [value])
                assert re.search(declared.get("pattern", ""), str(value))


@over_sets
def test_expected_citations_name_documents_of_the_case(golden_set: Path) -> None:
    for case in _cases(golden_set):
        ids = [document["id"] for document in case.get("documents", [])]
        assert len(set(ids)) == len(ids), case["id"]
        assert set(case["expected"].get("citations", [])) <= set(ids), case["id"]


@over_sets
def test_approvals_are_of_tools_that_execute(golden_set: Path) -> None:
    tools = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in ROOT.glob("tools/*.json")
    }
    for case in _cases(golden_set):
        for tool, approval in case.get("approvals", {}).items():
            assert tools[tool]["effect"] == "execute", case["id"]
            assert set(approval) == {"granted_by", "team"}, case["id"]


@over_scripted
def test_every_case_has_one_scripted_reply_per_prompt_version(scripted: Path) -> None:
    name = _name(scripted)
    ids = [case["id"] for case in _cases(ROOT / "goldensets" / name / "v1")]
    versions = [*ROOT.glob(f"prompts/{name}/v*.yaml"), *ROOT.glob(f"agents/{name}/v*.yaml")]
    prompts = [f"{name}@{path.stem}" for path in versions]
    scripted_for = Counter((line["case"], line["prompt"]) for line in _lines(scripted))

    assert scripted_for == Counter(product(ids, prompts))


@over_scripted
def test_scripted_replies_hold_text_and_calls_of_declared_tools(scripted: Path) -> None:
    tools = {path.stem for path in ROOT.glob("tools/*.json")}
    for line in _lines(scripted):
        for reply in line.get("replies", [line.get("reply")]):
            made = {call["name"] for call in reply.get("tool_calls", [])}
            # an agent's search is a tool of its own file; a turn with tools says nothing yet
            assert made <= tools | ({"search"} if "replies" in line else set())
            assert reply.get("content", "").strip() or (made and "replies" in line)


def test_scripted_triage_replies_reach_for_a_forbidden_tool_wherever_the_set_wants_a_stop() -> None:
    wanted = {
        case["id"]
        for case in _cases(ROOT / "goldensets/support_triage/v1")
        if case["expected"].get("blocked")
    }
    reached: defaultdict[str, set[str]] = defaultdict(set)
    for line in _lines(ROOT / "scripted/support_triage.jsonl"):
        calls = {made["name"] for made in line["reply"].get("tool_calls", [])}
        if calls & {"send_email", "refund_customer"}:
            reached[line["prompt"]].add(line["case"])

    assert reached["support_triage@v1"] == wanted
    assert reached["support_triage@v2"] > wanted


def test_nothing_that_prompts_were_chosen_on_is_near_a_golden_ticket() -> None:
    """A prompt that quotes the golden set, or was tuned on it, would be graded on what it saw."""
    golden = [_text(case) for case in _cases(ROOT / "goldensets/ticket_routing/v1")]
    seen = [
        example.rpartition(" (")[0]
        for path in sorted((ROOT / "prompts/ticket_routing").glob("v*.yaml"))
        for message in yaml.safe_load(path.read_text(encoding="utf-8"))["messages"]
        if message.get("part") == "examples"
        for example in message["content"].splitlines()
    ]
    seen += [_text(case) for case in _lines(ROOT / "benchmarks/ticket_routing/dev.jsonl")]
    seen += [shot["ticket"] for shot in _lines(ROOT / "benchmarks/ticket_routing/shots.jsonl")]
    texts = [*golden, *dict.fromkeys(seen)]

    near = [(texts[one], texts[other]) for one, other in _alike(texts)]
    assert len(seen) > 400
    assert [pair for pair in near if (pair[0] in golden) != (pair[1] in golden)] == []
