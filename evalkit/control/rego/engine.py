"""Rego in this process, through regopy (extra `rego`): compiled once, asked at every act."""

import json
from collections.abc import Mapping
from typing import Any

from evalkit.control.rego.decision import Undecided, read_decision
from evalkit.control.rego.sources import check_sources
from evalkit.control.ruling import Ruling
from evalkit.errors import ConfigError, Problem


class RegoEngine:
    """One package, compiled from the files that make it up. It belongs to one thread."""

    def __init__(self, sources: Mapping[str, str], *, package: str, shadow: bool) -> None:
        """`sources` are Rego modules by path.

        Raises ConfigError for what does not compile, looks outside, or needs the extra.
        """
        check_sources(sources)
        self.package = package
        self._shadow = shadow
        self._files = tuple(sources)
        self._interpreter = self._new_interpreter()
        try:
            for path, text in sources.items():
                self._interpreter.add_module(path, text)
            self._bundle = self._interpreter.build(f"data.{package}")
        except Exception as error:  # regopy raises its own, which are no EvalkitError
            raise ConfigError(
                [self._problem(f"cannot be compiled: {_first_line(error)}")]
            ) from None
        if not self._bundle.ok():
            raise ConfigError([self._problem("cannot be compiled")])

    def rule(self, document: Mapping[str, Any]) -> tuple[Ruling, ...]:
        """What the package says of one act. Raises Undecided."""
        try:
            # As text: handed over as values, the interpreter wraps large integers round and cuts a
            # text at its first NUL, so that an amount or a name could be made to look harmless.
            self._interpreter.set_input_term(json_of(document))
            output = self._interpreter.query_bundle(self._bundle)
            decided = output.results[0].expressions[0] if output.ok() else None
        except Exception as error:  # regopy raises its own, which are no EvalkitError
            raise Undecided(f"{self.package} cannot be evaluated: {_first_line(error)}") from None
        if not output.ok():
            raise Undecided(f"{self.package} cannot be evaluated: {_first_line(output)}")
        return read_decision(decided, package=self.package, shadow=self._shadow)

    def _new_interpreter(self) -> Any:
        try:
            from regopy import Interpreter
        except ImportError:
            raise ConfigError(
                [
                    Problem(
                        message="policies in Rego need the extra `rego`",
                        file=", ".join(self._files) or None,
                        suggestion="pip install 'evalkit[rego]', or ask an OPA server with `opa:`",
                    )
                ]
            ) from None
        interpreter = Interpreter()
        interpreter.log_level = _quiet()
        interpreter.strict_built_in_errors = True
        return interpreter

    def _problem(self, message: str) -> Problem:
        return Problem(file=", ".join(self._files) or None, message=f"the policy {message}")


def _quiet() -> Any:
    from regopy import LogLevel

    return LogLevel.NONE


def json_of(document: Mapping[str, Any]) -> str:
    """The input document as JSON, a lone surrogate as a question mark.

    Raises ValueError for numbers that JSON does not have, RecursionError for what is too deep.
    """
    text = json.dumps(document, allow_nan=False, ensure_ascii=False)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _first_line(error: object) -> str:
    text = " ".join(str(error).split())
    return text[:200] or type(error).__name__
