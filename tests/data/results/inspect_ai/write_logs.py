"""Write the logs of this folder by running inspect_ai: `python write_logs.py FOLDER`.

Needs an interpreter with inspect_ai, and no model: mockllm answers. Every log is as inspect_ai
wrote it, except that paths of the machine are replaced (`without_paths`).
"""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inspect_ai import Epochs, Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Score, Scorer, Target, accuracy, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver

ERROR, LIMIT, UNSCORED, NO_ANSWER, PARTIAL = 7, 8, 9, 10, 11
STOPPED_AT = 5


def mock(wrong: list[int]) -> Model:
    """A model that says no to the numbers in `wrong`, and yes to all others."""
    questions = {question(number) for number in wrong}

    def reply(input: list[ChatMessage], *more: object) -> ModelOutput:
        text = "no" if input[0].text in questions else "yes"
        output = ModelOutput.from_content("mockllm/model", text)
        output.usage = ModelUsage(input_tokens=10, output_tokens=2, total_tokens=12)
        return output

    return get_model("mockllm/model", custom_outputs=reply)


def question(number: int) -> str:
    return f"Is {number} a number?"


@solver
def answer(stop: int | None = None) -> Solver:
    """Ask the model, but for the sample at which to `stop` with that signal."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        number = state.metadata["number"]
        if number == ERROR:
            raise RuntimeError("the service is down")
        if stop is not None and number == STOPPED_AT:
            os.kill(os.getpid(), stop)
            await asyncio.sleep(60)
        for _ in range(6 if number == LIMIT else 1):
            state = await generate(state)
        return state

    return solve


@scorer(metrics=[accuracy(), stderr()])
def grade() -> Scorer:
    """C or I, and each of the other values for one sample."""
    special = {
        UNSCORED: Score.unscored(reason="grader_failed"),
        NO_ANSWER: Score(value="N"),
        PARTIAL: Score(value="P"),
    }

    async def score(state: TaskState, target: Target) -> Score:
        number = state.metadata["number"]
        right = state.output.completion == target.text
        return special.get(number) or Score(value="C" if right else "I")

    return score


@scorer(metrics=[mean()])
def share() -> Scorer:
    """Quarters from 0 to 1."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value=(state.metadata["number"] % 5) / 4)

    return score


@scorer(metrics={"polite": [mean()], "short": [mean()]})
def manners() -> Scorer:
    """Two values at once."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={"polite": True, "short": state.metadata["number"] % 2})

    return score


def samples(count: int) -> MemoryDataset:
    return MemoryDataset(
        [
            Sample(
                id=f"s{number:02}",
                input=question(number),
                target="yes",
                metadata={
                    "number": number,
                    "tags": ["even" if number % 2 == 0 else "odd"],
                    "group": f"g{number // 2}",
                },
            )
            for number in range(1, count + 1)
        ]
    )


def numbers(count: int, scorers: list[Scorer], *, stop: int | None = None, **more: object) -> Task:
    return Task(name="numbers", dataset=samples(count), solver=answer(stop), scorer=scorers, **more)


def run(task: Task, wrong: list[int], log_format: str, folder: str, **more: object) -> Path:
    options = {"fail_on_error": False, "display": "none", **more}
    (log,) = eval(task, model=mock(wrong), log_dir=folder, log_format=log_format, **options)
    return Path(log.location)


def base(folder: str) -> Path:
    """Three scorers, one of them with two values; an error, a limit and every letter."""
    task = numbers(30, [grade(), share(), manners()], message_limit=8)
    return run(task, [1, 2], "eval", folder)


def cand(folder: str) -> Path:
    """The same with more failures."""
    task = numbers(30, [grade(), share(), manners()], message_limit=8)
    return run(task, [1, 2, 3, 12, 13, 14], "eval", folder)


def epochs(folder: str) -> Path:
    """Two epochs and two reducers, in JSON, with one scorer."""
    task = numbers(5, [grade()], epochs=Epochs(2, ["mean", "at_least_1"]))
    return run(task, [1], "json", folder)


def failed(folder: str) -> Path:
    """Status error: the first error ended it."""
    return run(numbers(8, [grade()]), [1], "eval", folder, fail_on_error=True)


def started(folder: str) -> Path:
    """Status started: its process died in the middle."""
    return stopped(signal.SIGKILL, folder)


def cancelled(folder: str) -> Path:
    """Status cancelled: somebody pressed Ctrl-C."""
    return stopped(signal.SIGINT, folder)


def stopped(stop: int, folder: str) -> Path:
    command = [sys.executable, __file__, "--stop", str(int(stop)), folder]
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (log,) = Path(folder).glob("*.eval")
    return log


def stop_in_the_middle(stop: int, folder: str) -> None:
    run(numbers(8, [grade()], stop=stop), [1], "eval", folder, max_samples=1, log_buffer=1)


LOGS: dict[str, Callable[[str], Path]] = {
    "base.eval": base,
    "cand.eval": cand,
    "epochs.json": epochs,
    "failed.eval": failed,
    "started.eval": started,
    "cancelled.eval": cancelled,
}


@contextmanager
def elsewhere() -> Iterator[str]:
    """A folder outside every repository, so that no revision comes into a log."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        yield folder
        os.chdir(before)


def without_paths(raw: bytes, folder: str) -> bytes:
    """Replace this machine's folders by short ones that say what they are."""
    here = str(Path(__file__).parent)
    for path, name in (
        (folder, "/evals"),
        (here, "/evals"),
        (sys.prefix, "/venv"),
        (sys.base_prefix, "/python"),
    ):
        raw = re.sub(re.escape(path.encode()) + rb"(?![\w-])", name.encode(), raw)
    return raw


def copy(log: Path, target: Path, folder: str) -> None:
    if log.suffix == ".json":
        target.write_bytes(without_paths(log.read_bytes(), folder))
        return
    with zipfile.ZipFile(log) as old, zipfile.ZipFile(target, "w") as new:
        for member in old.infolist():
            content = without_paths(old.read(member), folder)
            new.writestr(member.filename, content, compress_type=member.compress_type)


def main() -> None:
    if sys.argv[1] == "--stop":
        stop_in_the_middle(int(sys.argv[2]), sys.argv[3])
        return
    out = Path(sys.argv[1]).resolve()
    out.mkdir(parents=True, exist_ok=True)
    for name, write in LOGS.items():
        with elsewhere() as folder:
            copy(write(folder), out / name, folder)


if __name__ == "__main__":
    main()
