"""The reply cache, seen from whole runs: offline, on another machine, damaged, not writable."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.store.cache import ReplyCache
from tests.cli.project import ProjectFiles
from tests.faults.conftest import Evalkit
from tests.servers.openai_server import OpenAIServer

V2 = ("--set", "suites.ask.target.prompt=ask@v2")


@pytest.fixture
def measured(evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer) -> ProjectFiles:
    """A project that needs a key, after one run whose replies are all stored."""
    served.config["providers"]["served"]["api_key_env"] = "SERVED_KEY"
    served.write()
    done = evalkit("run", cwd=served.root, environ={"SERVED_KEY": "sk-of-the-test"})
    assert done.returncode == 0, done.stderr
    openai_server.decide = lambda request: "status:500"
    openai_server.books.requests = 0
    return served


def test_offline_answers_from_the_cache_without_a_key(
    evalkit: Evalkit, measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    assert evalkit("run", cwd=measured.root).returncode == 2  # no key is set here
    done = evalkit("run", "--offline", "--json", cwd=measured.root)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["billed_usd"] == 0
    assert openai_server.books.requests == 0


def test_offline_refuses_what_is_not_stored_and_lists_it(
    evalkit: Evalkit, measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    done = evalkit("run", "--offline", *V2, cwd=measured.root)
    assert done.returncode == 2
    assert "100 replies of tiny are not in the cache" in done.stderr
    assert "under prompt ask@v2" in done.stderr
    assert "in 100 cases: c0000" in done.stderr
    assert openai_server.books.requests == 0


def test_the_file_of_another_machine_answers_here(
    evalkit: Evalkit, measured: ProjectFiles, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(measured.root, other, ignore=shutil.ignore_patterns(".evalkit"))
    (other / ".evalkit").mkdir()
    shutil.copy(measured.root / ".evalkit/cache.sqlite3", other / ".evalkit")
    done = evalkit("run", "--offline", cwd=other)
    assert done.returncode == 0, done.stderr


def test_a_damaged_cache_is_told_once_and_asked_again(
    evalkit: Evalkit, measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: None
    file = measured.root / ".evalkit/cache.sqlite3"
    file.write_bytes(file.read_bytes()[:5_000])
    done = evalkit("run", cwd=measured.root, environ={"SERVED_KEY": "sk-of-the-test"})
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the reply cache was damaged") == 1
    assert openai_server.books.requests >= 100
    again = evalkit("run", "--offline", cwd=measured.root)
    assert again.returncode == 0, again.stderr
    assert "damaged" not in again.stderr
    kept = file.with_name("cache.sqlite3.damaged")
    prune = ("prune", "--kind", "cache", "--older-than", "30d")
    assert evalkit(*prune, "--dry-run", cwd=measured.root).returncode == 0
    assert kept.exists()
    assert evalkit(*prune, cwd=measured.root).returncode == 0
    assert not kept.exists()


def test_the_cache_keeps_to_its_size_while_a_run_stores(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.config["retention"] = {"cache": {"max_size": "60KB"}}
    served.write()
    assert evalkit("run", *V2, cwd=served.root).returncode == 0
    assert openai_server.books.requests == 200
    with ReplyCache(served.root) as cache:
        assert 20 < len(cache) < 120


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--no-cache", "--refresh"), "give one"),
        (("--offline", "--refresh"), "--refresh asks the models again"),
        (("--offline", "--no-cache"), "--no-cache reads nothing"),
        (("--offline", "--live"), "--live asks the models themselves"),
        (("--offline", "--fault", "primary=down"), "--fault makes a drill"),
    ],
)
def test_flags_that_contradict_each_other_are_refused(
    evalkit: Evalkit, served: ProjectFiles, flags: tuple[str, ...], said: str
) -> None:
    served.write()
    done = evalkit("run", *flags, cwd=served.root)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())


def test_a_cache_on_a_disk_that_is_read_only_says_what_to_do(
    evalkit: Evalkit, measured: ProjectFiles, tmp_path: Path
) -> None:
    state = measured.root / ".evalkit"
    mount = ["mount", "--bind", str(state), str(state)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system")
    try:
        again = ["mount", "-o", "remount,ro,bind", str(state)]
        subprocess.run(again, check=True, capture_output=True)
        done = evalkit("run", "--offline", cwd=measured.root)
        assert done.returncode == 4
        assert "Traceback" not in done.stderr
        assert "writable" in done.stderr
    finally:
        subprocess.run(["umount", str(state)], check=True)


KEY = {"SERVED_KEY": "sk-of-the-test"}


def rows(project: ProjectFiles) -> dict[str, bytes]:
    """What the cache holds."""
    with sqlite3.connect(project.root / ".evalkit/cache.sqlite3") as connection:
        return dict(connection.execute("SELECT key, reply FROM replies"))


def test_refresh_replaces_what_is_stored_and_no_cache_leaves_it_alone(
    evalkit: Evalkit, measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: None
    before = rows(measured)
    done = evalkit("run", "--no-cache", cwd=measured.root, environ=KEY)
    assert done.returncode == 0, done.stderr
    asked = openai_server.books.requests
    assert asked >= 100
    assert rows(measured) == before
    done = evalkit("run", "--refresh", cwd=measured.root, environ=KEY)
    assert done.returncode == 0, done.stderr
    assert openai_server.books.requests >= asked + 100
    after = rows(measured)
    assert after.keys() == before.keys()
    assert all(after[key] != before[key] for key in before)


def test_an_answer_that_was_edited_is_told_and_asked_for_again(
    evalkit: Evalkit, measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: None
    with sqlite3.connect(measured.root / ".evalkit/cache.sqlite3") as connection:
        connection.execute(
            "UPDATE replies SET reply = CAST(replace(CAST(reply AS TEXT), 'yes', 'no') AS BLOB) "
            "WHERE key IN (SELECT key FROM replies LIMIT 3)"
        )
    done = evalkit("run", cwd=measured.root, environ=KEY)
    assert done.returncode == 0, done.stderr
    assert "3 stored replies were damaged or of another form" in " ".join(done.stderr.split())
    # both arms ask the same, and may do so at the same moment
    assert 3 <= openai_server.books.requests <= 6


def test_a_cache_that_can_only_be_read_answers_and_stops_nothing(
    measured: ProjectFiles, openai_server: OpenAIServer
) -> None:
    openai_server.decide = lambda request: None
    file = measured.root / ".evalkit/cache.sqlite3"
    file.chmod(0o444)
    held = file.read_bytes()
    command = [sys.executable, "-m", "evalkit", "run", *V2]
    if os.geteuid() == 0:  # whom no mode keeps from writing
        command = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override", *command]
    done = subprocess.run(
        command, cwd=measured.root, env={**os.environ, **KEY}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert openai_server.books.requests == 100  # the baseline's replies were stored
    assert "can only be read: 100 replies were not stored" in " ".join(done.stderr.split())
    assert file.read_bytes() == held


def test_two_runs_at_once_share_one_cache(
    evalkit: Evalkit, served: ProjectFiles, openai_server: OpenAIServer
) -> None:
    served.write()
    command = [sys.executable, "-m", "evalkit", "run", "--quiet"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    both = [subprocess.Popen(command, cwd=served.root, **quiet) for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    openai_server.decide = lambda request: "status:500"
    assert evalkit("run", "--offline", cwd=served.root).returncode == 0
