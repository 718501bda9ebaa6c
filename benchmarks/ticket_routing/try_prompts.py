"""Measure prompt versions of ticket_routing on the small local model, apart from evalkit itself.

Use it while writing a prompt: it runs every prompt file over one case file and compares each with
the first. It talks to llama.cpp in process (xllamacpp) as evalkit's provider does: one thread, one
slot, prompt cache on, cases in file order, a fresh model per prompt, temperature 0 and a chat
template that passes messages through. Choose prompts on dev.jsonl; use the golden set to report.

    python benchmarks/ticket_routing/try_prompts.py prompts/ticket_routing/v*.yaml \\
        --cases benchmarks/ticket_routing/dev.jsonl --weights SmolLM2-135M-Instruct.Q4_1.gguf
"""

import argparse
import json
import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xllamacpp
import yaml
from minijinja import Environment

PASS_THROUGH = "{%- for m in messages -%}{{ m['content'] }}{%- endfor -%}"
Z_95 = 1.6448536269514722


@dataclass(frozen=True)
class Measurement:
    """What one prompt did on all cases, in case order."""

    prompt: str
    replies: list[str]
    passed: list[bool]
    prompt_tokens: float
    seconds: float

    @property
    def accuracy(self) -> float:
        return sum(self.passed) / len(self.passed)


def load_cases(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def start_model(weights: Path) -> xllamacpp.Server:
    """A fresh in-process server; it listens on a free local port until it is collected."""
    params = xllamacpp.CommonParams()
    params.model.path = str(weights)
    params.n_ctx = 4096
    params.n_parallel = 1
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.cache_prompt = True
    params.use_jinja = True
    params.chat_template = PASS_THROUGH
    params.verbosity = -1
    return xllamacpp.Server(params)


def measure(prompt_path: Path, cases: list[dict[str, Any]], weights: Path) -> Measurement:
    """Run one prompt version over the cases, one after the other."""
    prompt = yaml.safe_load(prompt_path.read_text(encoding="utf-8"))
    jinja = Environment(undefined_behavior="strict", keep_trailing_newline=True)
    server = start_model(weights)
    replies: list[str] = []
    tokens = 0
    started = time.perf_counter()
    for case in cases:
        messages = [
            {
                "role": message["role"],
                "content": jinja.render_str(
                    message["content"], input=case["input"], documents=case.get("documents", [])
                ),
            }
            for message in prompt["messages"]
        ]
        answer = server.handle_chat_completions({"messages": messages, **prompt["params"]})
        if "choices" not in answer:
            raise SystemExit(f"{prompt_path}: {case['id']}: {answer}")
        replies.append(answer["choices"][0]["message"]["content"] or "")
        tokens += answer["usage"]["prompt_tokens"]
    passed = [
        reply.strip().casefold() == str(case["expected"]["output"]).strip().casefold()
        for reply, case in zip(replies, cases, strict=True)
    ]
    seconds = time.perf_counter() - started
    return Measurement(str(prompt_path), replies, passed, tokens / len(cases), seconds)


def tango_interval(b: int, c: int, n: int) -> tuple[float, float]:
    """Tango's one-sided 95 % score bounds (lower, upper) of the drop (b - c) / n.

    Tango (1998), Statistics in Medicine 17, 891-908.
    """

    def score(delta: float) -> float:
        # q: restricted estimate of P(first wrong, second right) when the drop is delta
        big = -b - c + (2 * n - b + c) * delta
        q = (math.sqrt(max(0.0, big * big + 8 * n * c * delta * (1 - delta))) - big) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        gap = (b - c) - n * delta
        return gap / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, gap)

    def root(is_above: Callable[[float], bool]) -> float:
        low, high = -1.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if is_above(middle) else (low, middle)
        return (low + high) / 2

    return root(lambda d: score(d) > Z_95), root(lambda d: score(d) > -Z_95)


def report(result: Measurement, first: Measurement, cases: list[dict[str, Any]]) -> None:
    n = len(cases)
    pairs = list(zip(first.passed, result.passed, strict=True))
    b, c = pairs.count((True, False)), pairs.count((False, True))
    lower, upper = tango_interval(b, c, n)
    print(
        f"{result.prompt}: {sum(result.passed)}/{n} = {result.accuracy:.1%}, "
        f"{result.prompt_tokens:.0f} prompt tokens, {result.seconds / n * 1000:.0f} ms a case; "
        f"against the first: b={b} c={c} drop={(b - c) / n:+.1%} [{lower:+.1%}, {upper:+.1%}]"
    )


def report_labels(result: Measurement, cases: list[dict[str, Any]]) -> None:
    by_label: dict[str, Counter[str]] = {}
    for case, reply in zip(cases, result.replies, strict=True):
        by_label.setdefault(case["expected"]["output"], Counter())[reply.strip().casefold()] += 1
    for label, replies in sorted(by_label.items()):
        print(f"  {label:10s} {dict(replies.most_common(7))}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("prompts", nargs="+", type=Path, help="prompt files; the first is the base")
    parser.add_argument("--cases", required=True, type=Path, help="cases, one JSON object a line")
    parser.add_argument("--weights", required=True, type=Path, help="the GGUF file")
    parser.add_argument("--labels", action="store_true", help="show the replies for every label")
    arguments = parser.parse_args()
    cases = load_cases(arguments.cases)
    results: list[Measurement] = []
    for path in arguments.prompts:
        results.append(measure(path, cases, arguments.weights))
        report(results[-1], results[0], cases)
        if arguments.labels:
            report_labels(results[-1], cases)


if __name__ == "__main__":
    main()
