"""What a program that is tested depends on: its settings and its files, as digests."""

import ast
import hashlib
import re
from collections.abc import Iterator, Sequence

from evalkit.config.problems import Locator, Path
from evalkit.config.targets import CommandTarget, HttpTarget, PythonTarget
from evalkit.errors import ConfigError, Problem
from evalkit.ports import FileTree
from evalkit.records.digest import digest_of
from evalkit.sources.reading import Reader
from evalkit.sources.references import GOLDEN_SETS

# Where modules of a project stand: beside evalkit.yaml, or in src/.
MODULE_ROOTS = ("", "src/")
_MOST_FILES = 10_000
_SKIPPED = frozenset({"__pycache__", "node_modules"})

_GOLDEN = re.compile(rb"\b%s\b" % GOLDEN_SETS.folder.encode())

ProgramTarget = HttpTarget | PythonTarget | CommandTarget


def load_program(
    reader: Reader, locator: Locator, at: Path, target: ProgramTarget
) -> dict[str, str]:
    """Digests of the program's settings and of every file that its behaviour is known to rest on.

    What is missing is noted in `reader`. How long one may take and how many run at once is no part
    of the settings.
    """
    kind = str(at[-1])
    settings = target.model_dump(mode="json", exclude={"files", "timeout_s", "processes"})
    digests = {f"target.{kind}": digest_of(settings)}
    if isinstance(target, HttpTarget):
        return digests
    try:
        paths = set(_globbed(reader, locator, at, target.files))
        if isinstance(target, PythonTarget):
            paths |= _of_function(reader, locator, at, target.call)
        else:
            paths |= _of_command(reader.tree, target.argv)
        for path in sorted(paths):
            content = reader.tree.read(path)
            digests[path] = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if _GOLDEN.search(content):
                reader.problems.append(_peeking(locator, at, path))
    except (ConfigError, OSError) as error:
        reader.problems.append(locator.problem(at, f"its files cannot be read: {error}"))
    return digests


def _peeking(locator: Locator, at: Path, path: str) -> Problem:
    return locator.problem(
        at,
        f"{path} names the folder of the golden sets, where the answers that are expected of it "
        "stand; nothing keeps a program from reading them",
        severity="warning",
    )


def _of_function(reader: Reader, locator: Locator, at: Path, call: str) -> set[str]:
    module = call.partition(":")[0]
    found = list(_module_files(reader.tree, module, MODULE_ROOTS))
    if not any(_is_module(path, module) for path in found):
        path = module.replace(".", "/")
        reader.problems.append(
            locator.problem(
                at,
                f"there is no module {module} in the project, so no baseline of it can be run",
                value=call,
                expected=f"{path}.py or src/{path}.py beside evalkit.yaml",
            )
        )
    return _with_imports(reader.tree, found, MODULE_ROOTS)


def _is_module(path: str, module: str) -> bool:
    name = module.replace(".", "/")
    return path.removeprefix("src/") in (f"{name}.py", f"{name}/__init__.py")


def _of_command(tree: FileTree, argv: Sequence[str]) -> set[str]:
    """Files of the project that a word names, with the modules that a Python script imports."""
    found = set()
    for word in argv:
        path = word.removeprefix("./")
        inside = not path.startswith(("/", "~", "-")) and ".." not in path.split("/")
        if inside and ":" not in path and "\\" not in path and tree.exists(path):
            folder = path.rpartition("/")[0]
            roots = (f"{folder}/" if folder else "", *MODULE_ROOTS)
            found |= _with_imports(tree, [path], roots) if path.endswith(".py") else {path}
    return found


def _with_imports(tree: FileTree, paths: Sequence[str], roots: Sequence[str]) -> set[str]:
    """The files, and those of the project's modules that they import, and so on."""
    found: set[str] = set()
    left = list(paths)
    while left and len(found) < _MOST_FILES:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        try:
            parsed = ast.parse(tree.read(path))
        except (SyntaxError, ValueError, RecursionError):
            continue  # running it tells what is wrong with it
        for name in _imported(parsed, path):
            left += _module_files(tree, name, roots)
    return found


def _imported(parsed: ast.AST, path: str) -> Iterator[str]:
    """Dotted names that a module imports, relative ones made whole by its path."""
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = path.removeprefix("src/").split("/")[: -node.level]
                base = ".".join([*folder, *([base] if base else [])])
            if base:
                yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in node.names)


def _module_files(tree: FileTree, name: str, roots: Sequence[str]) -> Iterator[str]:
    """The file of a module and of every package around it, where the project has them."""
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return
    for root in dict.fromkeys(roots):
        for end in range(1, len(parts) + 1):
            path = root + "/".join(parts[:end])
            for file in (f"{path}/__init__.py", f"{path}.py"):
                if tree.exists(file):
                    yield file


def _globbed(reader: Reader, locator: Locator, at: Path, globs: Sequence[str]) -> Iterator[str]:
    for index, glob in enumerate(globs):
        pattern = re.compile(_pattern(glob))
        fixed = re.split(r"[*?\[]", glob, maxsplit=1)[0].rpartition("/")[0]
        matched = [path for path in _walk(reader.tree, fixed) if pattern.fullmatch(path)]
        if not matched:
            where = (*at, "files", index)
            reader.problems.append(locator.problem(where, "no file matches", value=glob))
        yield from matched


def _pattern(glob: str) -> str:
    """A glob as a regular expression: `*` within a folder, `**` over all of them."""
    made = ""
    for piece in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", glob):
        made += {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
            piece, re.escape(piece)
        )
    return made


def _walk(tree: FileTree, folder: str) -> Iterator[str]:
    for name in tree.list(folder or "."):
        path = f"{folder}/{name}" if folder else name
        if name.startswith(".") or name in _SKIPPED:
            continue
        if tree.exists(path):
            yield path
        else:
            yield from _walk(tree, path)
