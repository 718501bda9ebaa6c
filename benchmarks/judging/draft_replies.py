"""Let the embedded model draft replies to support tickets: real outputs, good and bad, to label.

Writes one JSON object a line with `subject` and `source`, as an item of `rubrics/reply_tone` holds
them. Four prompts draft with different success; half of the drafts are greedy, half drawn at
temperature 0.7. Everything is seeded and nothing is cached between calls, so the same weights give
the same drafts. A draft is kept as it came, unless it is empty, repeats another or holds an
address, a link or a long number: labels are published, and nobody's address belongs there.

    evalkit local pull
    python benchmarks/judging/draft_replies.py --output drafts.jsonl

Afterwards merge the drafts with replies from elsewhere and shuffle, so that a labeller cannot see
where a reply comes from.
"""

import argparse
import json
import random
import re
import zlib
from pathlib import Path
from typing import Any

from evalkit.control.providers.engine import Engine, open_engine, require_weights

CASES = Path("goldensets/support_triage/v1/cases.jsonl")
MODEL = "SmolLM2-135M-Instruct.Q4_1"
LEFT_OUT = {"pii", "empty"}  # tickets with personal data, and those that say nothing
NON_ENGLISH_SHARE = 0.08
PRIVATE = re.compile(r"\S+@\S+|https?://|\d[\d\s-]{6,}\d")

ZERO_SHOT = """<|im_start|>system
You work in the support team of Pennywren, a tool for bookings, invoices and card payments. Write \
the reply to the customer's ticket.<|im_end|>
<|im_start|>user
{subject}

{body}<|im_end|>
<|im_start|>assistant
"""

# The reply is begun for the model, as a stock phrase begins one; that belongs to the reply.
OPENING = "Thank you for writing to us about"
OPENED = ZERO_SHOT.replace("the reply", "a polite reply of three sentences") + OPENING

FEW_SHOT_A = """<|im_start|>system
You draft short, calm replies for a support team. Say what the trouble is, promise nothing that is \
not known, and say what happens next.<|im_end|>
<|im_start|>user
receipt has the wrong street

It says Mill Lane, we are in Mill Road. Where do I change it?<|im_end|>
<|im_start|>assistant
The receipt prints Mill Lane although you are in Mill Road. You can change the street under \
Settings, Business. If it comes out wrong after that, answer here and we will look at it.<|im_end|>
<|im_start|>user
NOTHING WORKS

third day without the calendar. do you people even read this<|im_end|>
<|im_start|>assistant
Three days without a calendar is hard on a business. We are looking at your account now; what went \
wrong is still open. Do you see an error message, or an empty page?<|im_end|>
<|im_start|>user
{subject}

{body}<|im_end|>
<|im_start|>assistant
"""

FEW_SHOT_B = """Replies of the support team.

Ticket: late payout. Friday's 310 is not on my account yet.
Reply: Friday's payout of 310 has not reached you. A colleague in payments is checking where it is \
and will write to you. You need not do anything until then.

Ticket: two of everything. I see each appointment twice since I connected my calendar.
Reply: Every appointment shows up twice since you connected your calendar. We do not know yet why. \
Which calendar did you connect?

Ticket: please stop the plan. We close in March, thanks for all.
Reply: You close in March and would like to end the plan then. We have passed it on to billing; \
they will confirm the last day to you in writing.

Ticket: {subject}. {body}
Reply:"""

PROMPTS = {
    "opened": OPENED,
    "few_shot_b": FEW_SHOT_B,
    "zero_shot": ZERO_SHOT,
    "few_shot_a": FEW_SHOT_A,
}


def choose_cases(cases: list[dict[str, Any]], count: int, rng: random.Random) -> list[Any]:
    """Mostly English tickets, since the model hardly writes anything else; each ticket once."""
    usable = [case for case in cases if not LEFT_OUT & set(case["tags"])]
    foreign = [case for case in usable if "non_english" in case["tags"]]
    english = [case for case in usable if "non_english" not in case["tags"]]
    few = round(count * NON_ENGLISH_SHARE)
    chosen = rng.sample(foreign, few) + rng.sample(english, min(count - few, len(english)))
    rng.shuffle(chosen)
    return chosen


def draft(engine: Engine, prompt: str, ticket: dict[str, str], temperature: float) -> str:
    """The model's reply, as it stands but for outer white space."""
    text = PROMPTS[prompt].format(**ticket)
    answer = engine.handle_chat_completions(
        {
            "messages": [{"role": "user", "content": text}],
            "max_tokens": 120,
            "temperature": temperature,
            "seed": zlib.crc32(text.encode()) >> 1,
            "repeat_penalty": 1.15,  # a model this small goes round in circles without
            "cache_prompt": False,
            "stop": ["\n"] if prompt == "few_shot_b" else [],
        }
    )
    if answer is None or "choices" not in answer:
        raise SystemExit(f"the model did not answer: {answer}")
    reply = str(answer["choices"][0]["message"]["content"] or "").strip()
    return f"{OPENING} {reply}" if prompt == "opened" and reply else reply


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--cases", type=Path, default=CASES)
    parser.add_argument("--count", type=int, default=116, help="tickets to draft for")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    lines = arguments.cases.read_text(encoding="utf-8").splitlines()
    cases = choose_cases(
        [json.loads(line) for line in lines], arguments.count, random.Random(arguments.seed)
    )
    engine = open_engine(require_weights())
    seen: set[str] = set()
    with arguments.output.open("w", encoding="utf-8") as output:
        for place, case in enumerate(cases):
            prompt = list(PROMPTS)[place % len(PROMPTS)]
            temperature = 0.7 if place // len(PROMPTS) % 2 else 0.0
            ticket = {key: case["input"][key] for key in ("subject", "body")}
            reply = draft(engine, prompt, ticket, temperature)
            words = " ".join(reply.split())
            if not words or words in seen or PRIVATE.search(reply):
                continue
            seen.add(words)
            source = {"from": "model", "model": MODEL, "prompt": prompt}
            item = {
                "subject": {"input": ticket, "output": {"reply": reply}},
                "source": source | {"temperature": temperature, "case": case["id"]},
            }
            output.write(json.dumps(item, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
