"""What the makers of scripted replies share: calls, choices, spoilt texts, files and a report.

A maker starts from what its golden set expects, overwrites parts of it where a prompt version errs,
writes one reply a case and prompt, and prints what a run over the replies has to show.
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

JsonObject = dict[str, Any]
Replies = dict[tuple[str, str], JsonObject]
Check = Callable[[JsonObject, JsonObject], bool]


def call(tool: str, **arguments: str | float) -> JsonObject:
    """One tool call."""
    return {"name": tool, "arguments": arguments}


def pick(case_id: str, salt: str, options: int) -> int:
    """A choice that depends on the case id and nothing else."""
    digest = hashlib.sha256(f"{salt}:{case_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % options


def in_any_order(calls: Iterable[JsonObject]) -> list[str]:
    """Calls as comparable text, sorted."""
    return sorted(json.dumps(made, sort_keys=True) for made in calls)


def written(answer: JsonObject, case_id: str, prompt: str, *, flaw: str | None, what: str) -> str:
    """An answer as the text of a reply, one in four indented.

    `flaw`: "cut" stops early, "chatter" puts a code fence and small talk about `what` around it.
    """
    indent = 2 if pick(case_id, "indent" + prompt, 4) == 0 else None
    content = json.dumps(answer, ensure_ascii=False, indent=indent)
    if flaw == "cut":
        content = content[: len(content) * 2 // 3]
    if flaw == "chatter":
        content = f"Here is the {what} you asked for:\n\n```json\n{content}\n```\n\nAnything else?"
    return content


def parsed(reply: JsonObject) -> JsonObject | None:
    """The JSON object of a reply, None where its text is none."""
    try:
        answer = json.loads(reply["content"])
    except json.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def read_cases(path: Path, named: Collection[str]) -> list[JsonObject]:
    """The cases of a golden set. Ends the program where `named` has an id that is not among them."""
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    unknown = set(named) - {case["id"] for case in cases}
    if unknown:
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}")
    return cases


def write_replies(target: Path, replies: Replies) -> None:
    """One line a case and prompt, in the order given."""
    lines = [
        json.dumps({"case": case_id, "prompt": prompt, "reply": reply}, ensure_ascii=False)
        for (case_id, prompt), reply in replies.items()
    ]
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{target}: {len(lines)} replies")


def report(
    cases: Sequence[JsonObject],
    replies: Replies,
    prompts: tuple[str, str],
    *,
    passes: Check,
    stopped: Check,
    stop: str,
    slices: Sequence[str],
) -> None:
    """Print the pass rates that a run over these replies has to show.

    `passes` and `stopped` take a case and a reply; `stop` says what `stopped` sees.
    """
    passed = {
        prompt: {case["id"] for case in cases if passes(case, replies[case["id"], prompt])}
        for prompt in prompts
    }
    for prompt, ids in passed.items():
        stray = [
            case["id"]
            for case in cases
            if stopped(case, replies[case["id"], prompt]) and not case["expected"].get("blocked")
        ]
        print(f"{prompt}: {len(ids)}/{len(cases)} pass ({len(ids) / len(cases):.1%})")
        print(f"  {stop} outside blocked cases: {', '.join(stray) or 'none'}")
    first, second = (passed[prompt] for prompt in prompts)
    b, c = len(first - second), len(second - first)
    print(f"b (only v1 passes) {b}, c (only v2 passes) {c}, drop {(b - c) / len(cases):.1%}")
    for tag in slices:
        ids = {case["id"] for case in cases if tag in case["tags"]}
        print(f"  {tag}: n={len(ids)} v1={len(ids & first)} v2={len(ids & second)}")
