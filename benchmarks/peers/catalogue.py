"""Who is measured, how each is asked to do the reference work, and how its results are read.

Every peer is configured as its documentation says for this work: the concurrency asked for, its own
exact match, results where it puts them, no reply cache, no progress display, no telemetry.
"""

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from benchmarks.peers.environments import Environment
from benchmarks.peers.work import KEY, REQUEST, SYSTEM, Counts, Job, expected, write_lines
from benchmarks.runner import make_project

ROOT = Path(__file__).parents[2]
DRIVERS = Path(__file__).with_name("drivers")


class Peer(ABC):
    """A tool or a client that does the reference work."""

    name = ""
    environment: str | None = (
        None  # its name in versions.toml; None: the interpreter that runs this
    )
    results: tuple[str, ...] = ()  # globs in the job's folder: the results that it keeps
    codes: tuple[int, ...] = (0,)  # how it may end when the work was done

    @abstractmethod
    def start_up(self, where: Environment) -> list[str]:
        """`--help`, or the import of a library."""

    def prepare(self, job: Job) -> None:  # noqa: B027 -- most need none
        """Files it needs besides the job's."""

    @abstractmethod
    def command(self, where: Environment, job: Job) -> list[str]:
        """The work."""

    def environ(self, job: Job) -> Mapping[str, str]:
        """Variables beyond PATH, HOME and LANG."""
        return {}

    def count(self, where: Environment, job: Job) -> Counts:
        """What it says of the cases; raises OSError, ValueError or LookupError if nothing."""
        counts = json.loads((job.folder / "passed.json").read_bytes())
        return Counts(counts["passed"], counts["scored"])


class BareClient(Peer):
    """Calls and a comparison, without any framework."""

    results = ("results.jsonl",)

    def __init__(self, name: str, environment: str | None = None) -> None:
        self.name = name
        self.environment = environment

    def start_up(self, where: Environment) -> list[str]:
        return [where.python, "-c", f"import {self.name}"]

    def command(self, where: Environment, job: Job) -> list[str]:
        return [where.python, str(DRIVERS / "bare_client.py"), self.name, str(job.file)]

    def count(self, where: Environment, job: Job) -> Counts:
        lines = (job.folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return Counts(sum(json.loads(line)["pass"] for line in lines), len(lines))


class PydanticEvals(Peer):
    """A library; it prints its report and keeps no file."""

    name = environment = "pydantic-evals"

    def start_up(self, where: Environment) -> list[str]:
        return [where.python, "-c", "import pydantic_evals"]

    def command(self, where: Environment, job: Job) -> list[str]:
        return [where.python, str(DRIVERS / "pydantic_evals_run.py"), str(job.file)]


class DeepEval(Peer):
    """With its cache of metric results, which is on unless turned off, or without."""

    environment = "deepeval"
    results = (".deepeval/**/*", ".deepeval/.*")

    def __init__(self, name: str, *more: str) -> None:
        self.name = name
        self._more = more

    def start_up(self, where: Environment) -> list[str]:
        return [where.python, str(Path(where.python).with_name("deepeval")), "--help"]

    def command(self, where: Environment, job: Job) -> list[str]:
        return [where.python, str(DRIVERS / "deepeval_run.py"), str(job.file), *self._more]

    def environ(self, job: Job) -> Mapping[str, str]:
        return {"DEEPEVAL_TELEMETRY_OPT_OUT": "1", "DEEPEVAL_NO_INSPECT_PROMPT": "1"}


class LmEval(Peer):
    """Its command, a task of ours, its `local-chat-completions`."""

    name = environment = "lm-eval"
    results = ("results/**/*",)

    def start_up(self, where: Environment) -> list[str]:
        return [where.python, "-m", "lm_eval", "run", "--help"]

    def prepare(self, job: Job) -> None:
        task = {
            "task": "bench",
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(job.cases_file)}},
            "test_split": "test",
            "output_type": "generate_until",
            "doc_to_text": "{{text}}",
            "doc_to_target": "{{expected}}",
            "generation_kwargs": {
                "until": ["\n\n"],
                "do_sample": False,
                "temperature": REQUEST["temperature"],
                "max_gen_toks": REQUEST["max_tokens"],
            },
            "metric_list": [
                {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
            ],
            "metadata": {"version": 1},
        }
        (job.folder / "tasks").mkdir()
        # JSON is YAML
        (job.folder / "tasks/bench.yaml").write_text(json.dumps(task), encoding="utf-8")

    def command(self, where: Environment, job: Job) -> list[str]:
        model = f"model=bench,base_url={job.url}/chat/completions,num_concurrent={job.concurrency}"
        return [
            *[where.python, "-m", "lm_eval", "run", "--model", "local-chat-completions"],
            *["--model_args", model, "--tasks", "bench", "--include_path", "tasks"],
            *["--apply_chat_template", "--system_instruction", SYSTEM["content"]],
            *["--log_samples", "--output_path", "results"],
        ]

    def environ(self, job: Job) -> Mapping[str, str]:
        return {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OPENAI_API_KEY": KEY}

    def count(self, where: Environment, job: Job) -> Counts:
        (samples,) = job.folder.glob("results/**/samples_bench_*.jsonl")
        lines = samples.read_text(encoding="utf-8").splitlines()
        return Counts(int(sum(json.loads(line)["exact_match"] for line in lines)), len(lines))


class Promptfoo(Peer):
    """Its command; the database that it always writes, and the file a build reads."""

    name = environment = "promptfoo"
    results = ("results.json", "home/.promptfoo/promptfoo.db*")
    codes = (0, 100)  # 100: a case failed

    def start_up(self, where: Environment) -> list[str]:
        return [*self._program(where), "eval", "--help"]

    def prepare(self, job: Job) -> None:
        provider = {
            "id": "openai:chat:bench",
            "config": {"apiBaseUrl": job.url, "apiKey": KEY}
            | {key: REQUEST[key] for key in ("max_tokens", "temperature")},
        }
        prompt = [SYSTEM, {"role": "user", "content": "{{text}}"}]
        config = {
            "prompts": ["file://prompt.json"],
            "providers": [provider],
            "defaultTest": {"assert": [{"type": "equals", "value": "{{expected}}"}]},
            "tests": "file://tests.jsonl",
        }
        (job.folder / "prompt.json").write_text(json.dumps(prompt), encoding="utf-8")
        (job.folder / "promptfooconfig.yaml").write_text(json.dumps(config), encoding="utf-8")
        write_lines(job.folder / "tests.jsonl", [{"vars": case} for case in job.lines()])

    def command(self, where: Environment, job: Job) -> list[str]:
        quiet = ["--no-cache", "--no-table", "--no-progress-bar", "--no-share"]
        work = ["-c", "promptfooconfig.yaml", "-j", str(job.concurrency), "-o", "results.json"]
        return [*self._program(where), "eval", *work, *quiet]

    def environ(self, job: Job) -> Mapping[str, str]:
        return {
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        }

    def count(self, where: Environment, job: Job) -> Counts:
        stats = json.loads((job.folder / "results.json").read_bytes())["results"]["stats"]
        return Counts(stats["successes"], stats["successes"] + stats["failures"])

    def _program(self, where: Environment) -> list[str]:
        return [where.node, where.module("promptfoo/dist/src/entrypoint.js")]


class InspectAI(Peer):
    """Its command, a task of ours, its provider for compatible servers."""

    name = environment = "inspect_ai"
    results = ("logs/**/*",)

    def start_up(self, where: Environment) -> list[str]:
        return [*self._program(where), "--help"]

    def prepare(self, job: Job) -> None:
        shutil.copy(DRIVERS / "inspect_task.py", job.folder / "task.py")

    def command(self, where: Environment, job: Job) -> list[str]:
        work = ["task.py", "--model", "openai-api/bench/bench"]
        limits = ["--max-connections", str(job.concurrency)]
        return [*self._program(where), "eval", *work, *limits, "--display", "none"]

    def environ(self, job: Job) -> Mapping[str, str]:
        return {"BENCH_JOB": str(job.file), "BENCH_BASE_URL": job.url, "BENCH_API_KEY": KEY}

    def count(self, where: Environment, job: Job) -> Counts:
        (log,) = job.folder.glob("logs/*.eval")
        dump = [*self._program(where), "log", "dump", "--header-only", str(log)]
        shown = subprocess.run(dump, stdout=subprocess.PIPE, check=False).stdout
        results = json.loads(shown)["results"]
        (score,) = results["scores"]
        scored = results["completed_samples"]
        return Counts(round(score["metrics"]["mean"]["value"] * scored), scored)

    def _program(self, where: Environment) -> list[str]:
        return [where.python, "-m", "inspect_ai"]


class Evalkit(Peer):
    """`evalkit run`: plan, budget, policies, journal, trace, scores, verdict, three reports."""

    name = "evalkit"
    results = (".evalkit/**/*",)
    codes = (0, 3)  # 3: too few cases for a verdict
    program = (sys.executable, "-m", "evalkit")

    def start_up(self, where: Environment) -> list[str]:
        return [*self.program, "--help"]

    def prepare(self, job: Job) -> None:
        make_project(job.folder, job.url, job.cases, job.concurrency, expected=expected)

    def command(self, where: Environment, job: Job) -> list[str]:
        return [*self.program, "run", "--quiet", "--no-cache"]

    def environ(self, job: Job) -> Mapping[str, str]:
        return {"PYTHONPATH": str(ROOT)}

    def count(self, where: Environment, job: Job) -> Counts:
        (run,) = job.folder.glob(".evalkit/runs/*/run.json")
        (suite,) = json.loads(run.read_bytes())["suites"]
        (totals,) = suite["totals"]
        return Counts(int(totals["passed"]), totals["states"].get("answered", 0))


def environ(peer: Peer, job: Job) -> dict[str, str]:
    """Everything a peer's process sees; its home is the job's, so that all it leaves is counted."""
    base = {"PATH": os.environ["PATH"], "HOME": str(job.folder / "home"), "LANG": "C.UTF-8"}
    return base | dict(peer.environ(job))


BARE = (BareClient("aiohttp"), BareClient("httpx"))
EVALKIT = Evalkit()
INSPECT = InspectAI()
PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        *BARE,
        BareClient("openai", "openai"),
        EVALKIT,
        PydanticEvals(),
        DeepEval("deepeval"),
        LmEval(),
        Promptfoo(),
        INSPECT,
        DeepEval("deepeval-cached", "cached"),
    )
}
REQUIRED = ("aiohttp", "httpx", "evalkit")
