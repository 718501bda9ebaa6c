"""A JSON Schema (draft 2020-12) that the reply has to meet, formats included."""

from typing import Any

from evalkit.records.attempt import Attempt
from evalkit.records.case import Case
from evalkit.records.placeholder import PLACEHOLDER
from evalkit.score.reply import NotJson, reply_json
from evalkit.score.scorer import Judgement, Scorer, ScorerError
from evalkit.score.wording import clip, stored
from evalkit.validation.validator import build_validator


class JsonSchema(Scorer[str]):
    """The reply is JSON that meets a schema. Patterns are RE2's; no reference leaves the schema."""

    kind = "json_schema"

    def __init__(self, path: str, schema: Any, *, label: str, gate: bool) -> None:
        """`schema_problems` finds nothing in `schema`; `path` is what messages call it."""
        super().__init__(label=label, gate=gate)
        self._path = path
        self._validator = build_validator(schema)

    def expectation(self, case: Case) -> str:
        """The schema's path: it applies to every case."""
        return self._path

    def is_asked_by(self, case: Case) -> bool:
        """Never: the suite asks."""
        return False

    def judge(self, attempt: Attempt, expectation: str) -> Judgement:
        """Validate; the message names the error that tells most."""
        from jsonschema.exceptions import best_match

        value = reply_json(attempt)
        if isinstance(value, NotJson):
            message = f"expected JSON that meets {expectation}, {value.reason}"
            return Judgement(passed=False, message=message, expected=expectation)
        try:
            errors = list(self._validator.iter_errors(value))
        except (RecursionError, ArithmeticError) as error:
            raise ScorerError(f"{expectation} cannot be checked: {error}") from None
        if not errors:
            return Judgement(passed=True, message=f"meets {expectation}")
        worst = best_match(errors)
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        return Judgement(
            passed=False,
            message=f"{worst.json_path}: {clip(worst.message, 120)}{_remark(worst)}{more}; "
            f"expected what {expectation} asks for",
            expected=expectation,
            found={"path": worst.json_path, "value": stored(worst.instance)},
        )


def _remark(error: Any) -> str:
    """Says so where what does not fit is a placeholder: the model may have written better."""
    is_text = error.validator in ("pattern", "format", "minLength", "maxLength", "enum", "const")
    if is_text and isinstance(error.instance, str) and PLACEHOLDER.search(error.instance):
        return " (personal data is replaced before it is scored)"
    return ""
