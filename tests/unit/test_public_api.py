"""What `import evalkit` promises."""

import subprocess
import sys

import evalkit


def test_the_exports_are_these_and_all_of_them_exist() -> None:
    assert evalkit.__all__ == [
        "ConfigError",
        "EvalkitError",
        "Identity",
        "Problem",
        "Project",
        "Run",
        "__version__",
        "compare",
    ]
    assert all(getattr(evalkit, name) is not None for name in evalkit.__all__)
    assert dir(evalkit) == sorted(evalkit.__all__)


def test_importing_evalkit_imports_nothing_heavy() -> None:
    heavy = ("pandas", "deepdiff", "aiohttp", "httpx", "jsonschema", "pydantic", "minijinja")
    script = f"import sys, evalkit.cli.main; print([n for n in {heavy} if n in sys.modules])"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_decides_and_reports_is_not_loaded_before_the_first_call() -> None:
    later = (
        "evalkit.workflows.deciding",
        "evalkit.gate.suite",
        "evalkit.report.html",
        "evalkit.judge",
    )
    script = (
        "import sys, evalkit.workflows.runs.running; "
        f"print([n for n in {later} if n in sys.modules])"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
