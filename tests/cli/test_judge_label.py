"""`evalkit judge label`: at a terminal and from a pipe."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from evalkit.cli.desk import KeyDesk
from evalkit.report.labelling import Panel
from tests.cli.conftest import Ask, Gated
from tests.labelled import write_rubric

PATH = "rubrics/tone/v1.labels.jsonl"
Piped = Callable[..., "subprocess.CompletedProcess[str]"]
_LIMIT_S = 20


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key != "EVALKIT_LABELLER"}
    return kept | {"COLUMNS": "100", "NO_COLOR": "1", "GIT_CONFIG_GLOBAL": os.devnull} | extra


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with three outputs that wait for a label."""
    write_rubric(tmp_path)
    rows = [{"output": f"reply {name}", "input": {"q": "?"}} for name in "abc"]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture
def piped(root: Path) -> Piped:
    """Call `evalkit judge label tone@v1` with keys from a pipe."""

    def call(keys: str, *arguments: str, **extra: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "evalkit", "judge", "label", "tone@v1", *arguments],
            cwd=root,
            env=environment(extra),
            input=keys,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )

    return call


@pytest.fixture
def waiting(root: Path, piped: Piped) -> Path:
    """The project with its outputs imported."""
    done = piped("", "--import", "in.jsonl")
    assert (done.returncode, done.stderr) == (0, "")
    return root


def stored(root: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (root / PATH).read_text().splitlines()]


def labels(root: Path) -> list[dict[str, Any]]:
    return [label for item in stored(root) for label in item.get("labels", [])]


ANA = ("--labeller", "Ana", "--by", "person")


def test_an_import_says_what_it_brought_and_can_be_repeated(root: Path, piped: Piped) -> None:
    (root / "more.csv").write_text("output,label\nreply d,pass\nreply e,no\n")
    done = piped("", "--import", "more.csv", *ANA)
    assert done.returncode == 0
    assert done.stdout == f"{PATH}: 2 rows read, 2 new outputs; 2 labels made by people\n"
    before = (root / PATH).read_bytes()
    assert "there already: 2 labels" in piped("", "--import", "more.csv", *ANA).stdout
    assert (root / PATH).read_bytes() == before


def test_an_import_with_a_bad_row_writes_nothing(root: Path, piped: Piped) -> None:
    (root / "bad.csv").write_text("output,label\nreply d,pass\nreply e,perhaps\n")
    done = piped("", "--import", "bad.csv", *ANA)
    assert done.returncode == 2
    assert "bad.csv:3: label: wrong value" in done.stderr
    assert not (root / PATH).exists()


def test_keys_from_a_pipe_label_and_the_next_call_goes_on(waiting: Path, piped: Piped) -> None:
    done = piped("p\nq\n", *ANA)
    assert done.returncode == 0
    assert done.stdout == "tone@v1: 1 label made by people (1 pass, 0 fail); 2 outputs left\n"
    assert "tone@v1  1 of 3, 0 labelled" in done.stderr
    done = piped("n no greeting\nFAIL\nu\nx\np\nf\n", *ANA)
    assert done.stdout == "tone@v1: 2 labels made by people (1 pass, 1 fail); nothing is left\n"
    assert "'x' is no key here" in done.stderr
    assert sorted(each.get("note", "") for each in labels(waiting)) == ["", "", "no greeting"]
    assert piped("", *ANA).returncode == 2


def test_a_second_labeller_disagrees_and_a_third_decides(waiting: Path, piped: Piped) -> None:
    piped("p\np\np\n", *ANA)
    done = piped("f\np\np\n", "--second", "--by", "person", EVALKIT_LABELLER="Bo")
    assert "Ana" not in done.stderr
    listed = piped("", "--disagreements")
    assert listed.returncode == 0
    assert "labels differ on 1 output" in listed.stdout and "fail  Bo (person)" in listed.stdout
    done = piped("f\n", "--adjudicate", "--by", "person", "--labeller", "Cy")
    assert "pass  Ana (person)" in done.stderr and done.returncode == 0
    assert "no labels differ" in piped("", "--disagreements").stdout


def test_labels_of_a_model_are_never_called_human(waiting: Path, piped: Piped) -> None:
    done = piped("p\nq\n", "--by", "model", "--labeller", "big-model-1")
    assert "made by a model" in done.stdout and "people" not in done.stdout
    assert {each["by"] for each in labels(waiting)} == {"model"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--labeller", "Ana"), "--by person|model|rule"),
        (("--by", "person"), "--labeller NAME, or EVALKIT_LABELLER"),
        (("--run", "latest", "--spot-checks"), "--run and --spot-checks exclude each other"),
        (("--second", "--adjudicate"), "--second and --adjudicate exclude each other"),
        (("--suite", "s"), "--suite goes with --run"),
        (("--run", "latest", *ANA), "no stored run yet"),
        (("--count", "0", *ANA), "--count"),
        (("--by", "robot"), "robot"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    waiting: Path, piped: Piped, arguments: tuple[str, ...], says: str
) -> None:
    done = piped("p\n", *arguments)
    assert done.returncode == 2
    assert says in " ".join(done.stderr.split())
    assert labels(waiting) == []


def test_an_unknown_rubric_is_named(root: Path, ask: Ask) -> None:
    said = ask("judge", "label", "tune@v1", "--disagreements", cwd=root)
    assert said.code == 2 and "did you mean 'tone'" in said.err


def test_outputs_of_a_run_are_drawn_and_their_labels_kept_with_it(gated_copy: Gated) -> None:
    write_rubric(gated_copy.root)

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "evalkit", "judge", "label", "tone", *arguments, *ANA],
            cwd=gated_copy.root,
            env=environment({}),
            input="p\nf\nq\n",
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )

    unclear = call("--run", gated_copy.failed)
    assert unclear.returncode == 2 and "--suite ask" in unclear.stderr
    done = call("--run", gated_copy.failed, "--suite", "ask", "--count", "12")
    assert done.returncode == 0, done.stderr
    assert "(1 pass, 1 fail)" in done.stdout
    kept = (gated_copy.bundle(gated_copy.failed) / "labels.jsonl").read_text().splitlines()
    sources = [json.loads(line)["source"] for line in kept]
    assert {each["run"] for each in sources} == {gated_copy.failed}
    assert len(labels(gated_copy.root)) == 2
    assert "variant" not in done.stderr and "candidate" not in done.stderr


class Terminal:
    """A command on a terminal of its own, as somebody at a keyboard has it."""

    def __init__(self, root: Path, *arguments: str, lines: int = 24, columns: int = 60) -> None:
        self.master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (lines, columns))
        self.before = termios.tcgetattr(slave)
        extra = {"TERM": "xterm", "EVALKIT_LABELLER": "Ana", "PYTHONFAULTHANDLER": "1"}
        environ = environment(extra)
        del environ["COLUMNS"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evalkit", "judge", "label", "tone@v1", *arguments],
            cwd=root,
            env=environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        self.slave = slave
        self.seen = ""

    def wait_for(self, text: str) -> str:
        """What was written up to that text, from where the last wait ended."""
        end = time.monotonic() + _LIMIT_S
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} did not come: {self.seen!r}{self._where()}"
            self._read()
        found, _, self.seen = self.seen.partition(text)
        return found

    def _read(self) -> bool:
        if ready := bool(select.select([self.master], [], [], 1)[0]):
            with suppress(OSError):
                self.seen += os.read(self.master, 65536).decode("utf-8", "replace")
        return ready

    def _where(self) -> str:
        """What the command is doing instead, as it tells when it is aborted."""
        self.seen = ""
        self.process.send_signal(signal.SIGABRT)
        while self._read():
            pass
        return f"\n{self.seen}"

    def press(self, keys: str, until: str) -> str:
        """Press keys once the terminal takes single ones, and wait for what comes of it."""
        end = time.monotonic() + _LIMIT_S
        while termios.tcgetattr(self.slave)[3] & termios.ICANON:
            assert time.monotonic() < end, "no key is being waited for"
            select.select([], [], [], 0.01)
        os.write(self.master, keys.encode())
        return self.wait_for(until)

    def finish(self) -> int:
        """The exit code."""
        return self.process.wait(timeout=_LIMIT_S)

    def close(self) -> None:
        """End the command if it has not ended."""
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    """Open a terminal that is closed at the end."""
    with ExitStack() as stack:

        def start(*arguments: Any, **more: Any) -> Terminal:
            terminal = Terminal(*arguments, **more)
            stack.callback(terminal.close)
            return terminal

        yield start


def test_at_a_terminal_single_keys_label_and_the_terminal_is_left_as_it_was(
    waiting: Path, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(waiting)
    terminal.wait_for("1 of 3, 0 labelled")
    terminal.press("z\x1b[Cp", until="2 of 3, 1 labelled")
    assert len(labels(waiting)) == 1
    terminal.press("u", until="taken back")
    terminal.wait_for("q quit")
    assert labels(waiting) == []
    terminal.press("n", until="note: ")
    os.write(terminal.master, b"too short\n")
    terminal.wait_for("note too short")
    terminal.press("?", until="any key: back")
    terminal.press("x", until="1 of 3, 0 labelled")
    terminal.press("f", until="2 of 3, 1 labelled")
    terminal.press("q", until="2 outputs left")
    assert terminal.finish() == 0
    assert termios.tcgetattr(terminal.slave) == terminal.before
    (found,) = labels(waiting)
    assert (found["passed"], found["note"], found["by"]) == (False, "too short", "person")


def test_an_interrupt_loses_nothing_and_leaves_the_terminal_as_it_was(
    waiting: Path, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(waiting)
    terminal.wait_for("1 of 3, 0 labelled")
    terminal.press("p", until="2 of 3, 1 labelled")
    terminal.wait_for("q quit")
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.wait_for("stored: 1 label; the same")
    assert terminal.finish() == 130
    assert termios.tcgetattr(terminal.slave) == terminal.before
    assert len(labels(waiting)) == 1


def test_an_interrupt_that_does_not_end_the_wait_for_a_key_is_seen() -> None:
    """Another thread takes the signal, so that no read of the desk is interrupted by it: as where
    it comes after the interpreter has last looked, and before the read."""
    master, slave = pty.openpty()
    slept, ended = threading.Event(), threading.Event()

    def interrupt() -> None:
        while termios.tcgetattr(slave)[3] & termios.ICANON:
            select.select([], [], [], 0.01)
        select.select([], [], [], 0.05)  # by now it reads; a signal before that passes just as well
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        if not ended.wait(_LIMIT_S):
            slept.set()
            os.write(master, b"x")  # or this test would never end

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with ExitStack() as stack:
        stack.callback(os.close, master)
        stack.callback(os.close, slave)
        shown = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.callback(signal.signal, signal.SIGINT, before)
        thread = threading.Thread(target=interrupt)
        thread.start()
        stack.callback(thread.join)
        stack.callback(ended.set)
        with pytest.raises(KeyboardInterrupt):
            KeyDesk(slave, shown).read(lambda screen: Panel(("head",), ("body",), ("q quit",)))
        assert not slept.is_set()
        assert termios.tcgetattr(slave)[3] & termios.ICANON


def test_an_output_that_is_longer_than_the_screen_scrolls(
    root: Path, piped: Piped, open_terminal: Callable[..., Terminal]
) -> None:
    text = "\n".join(f"line {number}" for number in range(100))
    (root / "long.jsonl").write_text(json.dumps({"output": text}))
    piped("", "--import", "long.jsonl")
    terminal = open_terminal(root, lines=20)
    first = terminal.wait_for("space down")
    assert "line 0" in first and "line 99" not in first
    second = terminal.press(" ", until="space down")
    assert "line 0\r" not in second and "line 12" in second
    assert "line 0\r" in terminal.press("b", until="space down")
    terminal.wait_for("q quit")
    terminal.press("p", until="That was the last")
    terminal.press("q", until="nothing is left")
    assert terminal.finish() == 0
