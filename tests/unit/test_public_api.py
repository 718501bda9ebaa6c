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
