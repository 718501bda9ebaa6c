"""Let the embedded model draft one-sentence ticket summaries: real outputs, good and bad, to label.

Writes one JSON object a line with `subject` and `source`, as an item of `rubrics/ticket_summary`
holds them. Three prompts draft with different success, two of them also at temperature 0.7. Each
ticket is drafted once. A draft is kept as it came but for white space around it, unless it is
empty, repeats another or holds an address or a long number. Everything is seeded and no call sees
another's cache, so the same weights on the same machine draft the same again.

    evalkit local pull
    python benchmarks/judging/draft_summaries.py --output drafts.jsonl

It takes a few minutes on one core. Afterwards merge the drafts with summaries from elsewhere and
shuffle, so that a labeller cannot see where a summary comes from.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.control.providers.engine import Engine, open_engine, require_weights

CASES = Path("goldensets/support_triage/v1/cases.jsonl")
MODEL = "SmolLM2-135M-Instruct"
SEED = 20261125
LEFT_OUT = {"pii", "empty"}  # tickets with personal data, and those that say nothing
PRIVATE = re.compile(r"\S+@\S+|\d[\d\s-]{6,}\d")
MIN_LENGTH = 35  # characters of a body; below that there is nothing to sum up
MAX_TOKENS = 60

FEW_SHOT = """\
Each support ticket is followed by one sentence that tells an agent what the customer needs.

Ticket: Printer again. The label roll jams after every third label since I changed to the new \
paper. I have 40 boxes to send today.
Summary: The customer's label printer jams after every third label since a change of paper, and \
40 boxes have to go out today.

Ticket: hi, can I have two addresses in my profile? one is my mum's
Summary: The customer asks whether a profile can hold two addresses.

Ticket: Ich habe den Kurs am Montag bezahlt, aber keine Bestätigung bekommen.
Summary: The customer paid for a course on Monday and got no confirmation.

Ticket: {ticket}
Summary:"""

CHAT = """\
<|im_start|>system
You sum up support tickets for the agent who will answer them.<|im_end|>
<|im_start|>user
Write one sentence that says what this customer wants or what their trouble is.

{ticket}<|im_end|>
<|im_start|>assistant
"""

TERSE_SHOTS = """\
Ticket: The blender smells burnt after a minute.
Summary: Blender smells burnt after a minute of use.

Ticket: Can I pick the order up myself instead of having it sent?
Summary: Asks whether the order can be picked up instead of sent.

Ticket: Your form does not accept my postcode, so I cannot finish the order.
Summary: Cannot finish the order because the form does not accept the postcode.

Ticket: I want to stop the magazine at the end of the year.
Summary: Wants to end the magazine at the end of the year.

Ticket: It would be nice if the radio remembered the last station.
Summary: Suggests that the radio should remember the last station.

Ticket: You took 30 for a cap that costs 20, please send back the rest.
Summary: Was charged 30 for a cap that costs 20 and wants the rest back.

Ticket: {ticket}
Summary:"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A prompt with its sampling, and how many English and other tickets it drafts."""

    name: str
    template: str
    stop: tuple[str, ...]
    temperature: float
    english: int
    foreign: int


RECIPES = (
    Recipe(
        name="few_shot", template=FEW_SHOT, stop=("\n",), temperature=0.0, english=30, foreign=4
    ),
    Recipe(
        name="few_shot_t07", template=FEW_SHOT, stop=("\n",), temperature=0.7, english=12, foreign=2
    ),
    Recipe(
        name="chat", template=CHAT, stop=("<|im_end|>",), temperature=0.0, english=16, foreign=2
    ),
    Recipe(
        name="terse", template=TERSE_SHOTS, stop=("\n",), temperature=0.0, english=20, foreign=2
    ),
    Recipe(
        name="terse_t07", template=TERSE_SHOTS, stop=("\n",), temperature=0.7, english=7, foreign=1
    ),
)


def choose_cases(cases: list[dict[str, Any]]) -> Iterator[tuple[Recipe, dict[str, Any]]]:
    """Draw tickets without replacement: mostly English, since the model knows little else."""
    usable = [
        case
        for case in cases
        if not LEFT_OUT & set(case["tags"]) and len(case["input"]["body"]) >= MIN_LENGTH
    ]
    random.Random(SEED).shuffle(usable)
    foreign = iter([case for case in usable if "non_english" in case["tags"]])
    english = iter([case for case in usable if "non_english" not in case["tags"]])
    for recipe in RECIPES:
        for pool, count in ((english, recipe.english), (foreign, recipe.foreign)):
            for _, case in zip(range(count), pool, strict=False):
                yield recipe, case


def draft(engine: Engine, recipe: Recipe, ticket: dict[str, str], seed: int) -> str:
    """The model's summary, as it stands but for outer white space."""
    words = " / ".join(part for part in (ticket["subject"], ticket["body"]) if part)
    body = {
        "messages": [{"role": "user", "content": recipe.template.replace("{ticket}", words)}],
        "max_tokens": MAX_TOKENS,
        "temperature": recipe.temperature,
        "stop": list(recipe.stop),
        "seed": seed,
        "cache_prompt": False,
    }
    answer = engine.handle_chat_completions(body)
    if answer is None or "choices" not in answer:
        raise SystemExit(f"the model did not answer: {answer}")
    return str(answer["choices"][0]["message"]["content"] or "").strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    cases = [json.loads(line) for line in arguments.cases.read_text(encoding="utf-8").splitlines()]
    engine = open_engine(require_weights())
    seen: set[str] = set()
    with arguments.output.open("w", encoding="utf-8") as output:
        for number, (recipe, case) in enumerate(choose_cases(cases)):
            ticket = {key: case["input"][key] for key in ("subject", "body")}
            summary = draft(engine, recipe, ticket, SEED % 100_000 + number)
            words = " ".join(summary.split())
            if not words or words in seen or PRIVATE.search(summary):
                continue
            seen.add(words)
            source = {"from": "model", "model": MODEL, "prompt": recipe.name, "case": case["id"]}
            item = {"subject": {"input": ticket, "output": {"summary": summary}}, "source": source}
            output.write(json.dumps(item, ensure_ascii=False) + "\n")
            output.flush()


if __name__ == "__main__":
    main()
