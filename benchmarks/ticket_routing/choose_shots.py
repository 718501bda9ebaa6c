"""Choose the examples of a ticket_routing prompt, and the weights of its labels, on dev.jsonl.

A few-shot prompt of a small model depends on which examples it shows, in which order, and on how
much the model likes each label word whatever the ticket says. Both are chosen here, on the dev pool
alone; the golden set is for reporting.

`bias` prints the `logit_bias` that fits the prompt as it is: six numbers with the least
cross-entropy over the dev labels (Zhao et al. 2021, "Calibrate Before Use", fitted instead of
guessed). `shots` changes one example at a time (another ticket of shots.jsonl, another place, one
more, one fewer) and keeps a change that lowers that calibrated cross-entropy; it is a finer measure
than the pass rate, which moves by whole cases. It prints the examples each time they are better.
Search on the whole pool: what a search on half of it gains is mostly lost on the other half.

    python benchmarks/ticket_routing/choose_shots.py bias prompts/ticket_routing/v1.yaml \\
        --weights SmolLM2-135M-Instruct.Q4_1.gguf
    python benchmarks/ticket_routing/choose_shots.py shots prompts/ticket_routing/v3.yaml \\
        --weights SmolLM2-135M-Instruct.Q4_1.gguf --minutes 60 --most-tokens 560
"""

import argparse
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from minijinja import Environment
from scipy.optimize import minimize
from try_prompts import load_cases, start_model

HERE = Path(__file__).parent
LABELS = ("payment", "password", "delivery", "error", "cancel", "wish")
# A label that is not among this many most likely tokens gets the last one's log-probability.
TOP_TOKENS = 1000
# Keeps the biases near zero where the dev pool says little.
RIDGE = 0.02
# Added to every label's bias, so that a word that is no label loses.
LIFT = 2.0
# What an added example has to gain, and a removed one may lose, in cross-entropy.
ADD_GAIN, REMOVE_LOSS = 0.004, 0.002


class Shot(NamedTuple):
    """One example of a prompt."""

    ticket: str
    label: str


@dataclass(frozen=True)
class Prompt:
    """A prompt file taken apart: what precedes the examples, the examples, and how a line is built.

    `before` and `after` stand around the ticket of the case; a shot's line is the same with the
    label and `stop` behind it, so `"{{ input.ticket }} ["` with stop `"]"` makes `ticket [label]`.
    """

    instruction: str
    shots: tuple[Shot, ...]
    before: str
    after: str
    stop: str

    def question(self, ticket: str) -> str:
        return f"{self.before}{ticket}{self.after}"

    def line(self, shot: Shot) -> str:
        return f"{self.question(shot.ticket)}{shot.label}{self.stop.strip()}\n"

    def text(self, shots: Sequence[Shot]) -> str:
        return self.instruction + "".join(self.line(shot) for shot in shots)


@dataclass(frozen=True)
class Fit:
    """Biases (one per label, at most 0), their mean cross-entropy in nats and their pass rate."""

    biases: np.ndarray
    cross_entropy: float
    accuracy: float


def read_prompt(path: Path) -> Prompt:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    examples = [m for m in document["messages"] if m.get("part") == "examples"]
    instruction = "".join(m["content"] for m in document["messages"] if m["role"] == "system")
    question = Environment().render_str(
        document["messages"][-1]["content"], input={"ticket": "\0"}, documents=[]
    )
    before, after = question.split("\0")
    stop = str(document["params"]["stop"][0])
    shots = []
    for line in examples[0]["content"].splitlines():
        start, _, label = line.removesuffix(stop.strip()).rpartition(after)
        shots.append(Shot(start.removeprefix(before), label))
    return Prompt(instruction, tuple(shots), before, after, stop)


class Model:
    """Log-probabilities of the labels' first tokens after a prompt, from llama.cpp in process."""

    def __init__(self, weights: Path) -> None:
        self._server = start_model(weights)
        self.prompt_tokens = 0

    def _next_tokens(self, prompt: str, **params: Any) -> list[dict[str, Any]]:
        answer = self._server.handle_completions(
            {"prompt": prompt, "n_predict": 1, "temperature": 0, "cache_prompt": True, **params}
        )
        if "choices" not in answer:
            raise SystemExit(f"the model refused a prompt: {answer}")
        self.prompt_tokens = answer["usage"]["prompt_tokens"]
        found: list[dict[str, Any]] = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        return found

    def label_log_probabilities(
        self, prompt: Prompt, shots: Sequence[Shot], tickets: Sequence[str]
    ) -> np.ndarray:
        """Shape (tickets, labels), nats; of the first token of each label."""
        start = prompt.text(shots)
        rows = []
        for ticket in tickets:
            top = self._next_tokens(start + prompt.question(ticket), n_probs=TOP_TOKENS)
            by_token = {each["token"]: float(each["logprob"]) for each in top}
            floor = min(by_token.values())
            rows.append([self._first_token(label, by_token, floor) for label in LABELS])
        return np.array(rows)

    @staticmethod
    def _first_token(label: str, by_token: dict[str, float], floor: float) -> float:
        # "wish" is two tokens, "w" and "ish"; the other labels are one token each
        first = "w" if label == "wish" else label
        return by_token.get(first, floor)


def fit_biases(log_probabilities: np.ndarray, labels: np.ndarray) -> Fit:
    """The biases with the least cross-entropy over the labels; `labels` are indexes in LABELS."""
    wanted = np.eye(len(LABELS))[labels]

    def loss(biases: np.ndarray) -> tuple[float, np.ndarray]:
        scores = log_probabilities + biases
        scores = scores - scores.max(axis=1, keepdims=True)
        chances = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        value = -np.log((chances * wanted).sum(axis=1)).mean() + RIDGE * (biases @ biases) / 2
        return float(value), (chances - wanted).mean(axis=0) + RIDGE * biases

    found = minimize(loss, np.zeros(len(LABELS)), jac=True)
    passed = (log_probabilities + found.x).argmax(axis=1) == labels
    return Fit(found.x - found.x.max(), float(found.fun), float(passed.mean()))


def change(shots: Sequence[Shot], pool: Sequence[Shot], chance: random.Random) -> list[Shot]:
    """One small change of the examples: replace, swap, move, add or remove."""
    changed = list(shots)
    unused = [shot for shot in pool if shot not in set(shots)]
    at = chance.randrange(len(changed))
    kind = chance.choices(("replace", "swap", "move", "add", "remove"), (50, 18, 12, 10, 10))[0]
    if kind == "replace":
        same = [shot for shot in unused if shot.label == changed[at].label]
        changed[at] = chance.choice(same if chance.random() < 0.8 and same else unused)
    elif kind == "swap":
        other = chance.randrange(len(changed))
        changed[at], changed[other] = changed[other], changed[at]
    elif kind == "move":
        changed.insert(chance.randrange(len(changed)), changed.pop(at))
    elif kind == "add":
        changed.insert(at, chance.choice(unused))
    else:
        del changed[at]
    return changed


def choose_shots(arguments: argparse.Namespace, tickets: list[str], labels: np.ndarray) -> None:
    """Climb for so many minutes and print each better list of examples."""
    prompt, model = read_prompt(arguments.prompt), Model(arguments.weights)
    pool = [Shot(each["ticket"], each["label"]) for each in load_cases(arguments.shots)]
    chance = random.Random(arguments.seed)
    best = prompt.shots
    fit = fit_biases(model.label_log_probabilities(prompt, best, tickets), labels)
    print(f"start: {len(best)} shots, loss {fit.cross_entropy:.4f}, {fit.accuracy:.1%}")
    end = time.monotonic() + 60 * arguments.minutes
    while time.monotonic() < end:
        shots = change(best, pool, chance)
        tried = fit_biases(model.label_log_probabilities(prompt, shots, tickets), labels)
        longer, shorter = len(shots) > len(best), len(shots) < len(best)
        slack = -ADD_GAIN * longer + REMOVE_LOSS * shorter
        if model.prompt_tokens > arguments.most_tokens and not shorter:
            continue
        if tried.cross_entropy < fit.cross_entropy + slack:
            best, fit = tuple(shots), tried
            print(f"# {len(best)} shots, loss {fit.cross_entropy:.4f}, {fit.accuracy:.1%}")
            print(prompt.text(best), flush=True)


def print_biases(arguments: argparse.Namespace, tickets: list[str], labels: np.ndarray) -> None:
    prompt = read_prompt(arguments.prompt)
    scores = Model(arguments.weights).label_log_probabilities(prompt, prompt.shots, tickets)
    fit = fit_biases(scores, labels)
    plain = float((scores.argmax(axis=1) == labels).mean())
    print(f"{len(tickets)} dev tickets: {plain:.1%} without biases, {fit.accuracy:.1%} with")
    pairs = zip(LABELS, fit.biases + LIFT, strict=True)
    print("logit_bias: {" + ", ".join(f"{label}: {bias:.1f}" for label, bias in pairs) + "}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("bias", "shots"))
    parser.add_argument("prompt", type=Path, help="the prompt file to start from")
    parser.add_argument("--weights", required=True, type=Path, help="the GGUF file")
    parser.add_argument("--cases", type=Path, default=HERE / "dev.jsonl")
    parser.add_argument("--shots", type=Path, default=HERE / "shots.jsonl")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--most-tokens", type=float, default=math.inf)
    parser.add_argument("--every", type=int, default=1, help="use each n-th dev ticket")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    cases = load_cases(arguments.cases)[:: arguments.every]
    tickets = [case["input"]["ticket"] for case in cases]
    labels = np.array([LABELS.index(case["expected"]["output"]) for case in cases])
    (choose_shots if arguments.what == "shots" else print_biases)(arguments, tickets, labels)


if __name__ == "__main__":
    main()
