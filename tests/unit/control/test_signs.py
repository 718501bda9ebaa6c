"""The fast pass before the detectors never leaves out what they would find."""

import json
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.control.redaction import find_all
from evalkit.control.redaction.signs import has_sign

CORPUS = Path(__file__).parents[2] / "data" / "detectors"
ROWS = [
    json.loads(line.replace("¦", ""))
    for part in ("tuned", "held_out")
    for line in (CORPUS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
]
VALUES = sorted({value for row in ROWS for _, value in row["expect"]})
FRAGMENTS = [
    *("call ", "tel. ", "number: ", "password", " is: ", "api_key=", "Bearer ", "IBAN ", "CPF "),
    *("sin ", "plus ", "+", "(", ")", " dot ", " at ", "one ", "two-three ", "four, ", "::", "@"),
    *(
        "\\n",
        "\\u0040",
        "\u00a0",
        "–",
        "：",
        "７",
        "٣",
        "-----BEGIN PRIVATE KEY-----",
        "\n",
        "0",
        "1 ",
    ),
]


def certain(text: str) -> bool:
    return any(each.certain for each in find_all(text))


def test_every_value_of_the_corpus_has_a_sign_and_most_harmless_texts_have_none() -> None:
    assert all(has_sign(row["text"]) for row in ROWS if certain(row["text"]))
    prose = [
        "The parcel of 24 November came late; she asked twice.",
        "Das Paket kam zu spät.",
        "他来了。",
    ]
    logs = (
        '{"at":"2026-11-24T05:19:12.504Z","order":"A-95319","bytes":9723233,"epoch":1706798022749}'
    )
    assert not any(has_sign(text) for text in [*prose, logs])


@given(
    st.lists(
        st.one_of(st.sampled_from(FRAGMENTS), st.sampled_from(VALUES), st.text(max_size=4)),
        max_size=6,
    ).map("".join)
)
@example("one\u00a0two\u00a0three\u00a0four\u00a0five\u00a0six\u00a0seven")
@example("356 339 503：：")
@example("\\nGB09WEST44261649748761")
@example("to\u212aen: abcdefg1")
@example("AB\u00a012\u00a034\u00a056\u00a0C")
def test_what_is_found_has_a_sign(text: str) -> None:
    assert has_sign(text) or not certain(text)
