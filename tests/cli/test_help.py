"""Help, wrong verbs and wrong flags: nobody has to guess."""

from collections.abc import Iterator

import pytest
import typer
from rich.cells import cell_len

from evalkit import __version__
from evalkit.cli.main import build_app
from tests.cli.conftest import Ask, Evalkit


def verbs() -> Iterator[tuple[str, ...]]:
    """Every verb, and those below `golden`, `judge`, `local` and `route`."""
    whole = typer.main.get_command(build_app())
    for name, command in whole.commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        if below is None:
            yield (name,)
        else:
            yield from ((name, each) for each in below)


def test_every_verb_has_help_with_an_example(ask: Ask) -> None:
    found = list(verbs())
    below = {("golden", "freeze"), ("judge", "calibrate"), ("judge", "label"), ("local", "serve")}
    below |= {("route", "explain")}
    assert {("run",), ("check",), *below} <= set(found)
    for verb in found:
        said = ask(*verb, "--help")
        assert (said.code, said.err) == (0, ""), verb
        assert "Example: evalkit " + " ".join(verb) in said.out, verb
        assert ask(*verb, "-h").out == said.out


def test_every_verb_is_named_by_the_help_of_all(ask: Ask) -> None:
    said = ask("--help")
    assert said.code == 0
    for name, *_ in verbs():
        assert f" {name} " in said.out
    for code in ("0 pass", "1 fail", "3 inconclusive", "4 incomplete", "130 interrupted"):
        assert code in " ".join(said.out.split())


def test_help_fits_60_columns_and_survives_a_reader_that_goes_away(
    evalkit: Evalkit, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = evalkit("run", "--help", environ={"COLUMNS": "60"})
    assert done.returncode == 0
    assert max(cell_len(line) for line in done.stdout.splitlines()) <= 60
    assert "\x1b" not in done.stdout


def test_the_version_is_printed_without_a_verb(evalkit: Evalkit) -> None:
    done = evalkit("--version")
    assert (done.returncode, done.stdout) == (0, f"evalkit {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("chekc",), "chekc"),
        (("golden", "thaw"), "thaw"),
        (("check", "--srict"), "--strict"),
        (("diff", "--markdown"), "--markdown"),
        (("gate",), "Missing argument"),
        (("golden", "freeze"), "Missing argument"),
    ],
)
def test_what_it_does_not_know_is_2_on_stderr_alone(
    ask: Ask, arguments: tuple[str, ...], says: str
) -> None:
    said = ask(*arguments)
    assert (said.code, said.out) == (2, "")
    assert says in said.err
    assert "-h" in said.err
