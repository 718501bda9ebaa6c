"""What every part of the configuration is: frozen, without unknown keys, without silent casts."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$"
_REFERENCE = r"^[A-Za-z0-9][A-Za-z0-9_.\-]*@(v[1-9][0-9]*|latest)$"
URL = r"^https?://[^\s/]+"
VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"
TOOL_NAME = r"^[A-Za-z0-9_\-]{1,64}$"
DATE = r"^\d{4}-\d{2}-\d{2}$"
MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$"
DIGEST = r"^sha256:[0-9a-f]{64}$"
AGE = r"^[1-9][0-9]*[hdw]$"
SIZE = r"^[0-9]+(\.[0-9]+)?(KB|MB|GB)$"

# What a problem says was expected, instead of the pattern.
PATTERN_WORDS = {
    _NAME: "a name of letters, digits, '_', '-' and '.'",
    _REFERENCE: "a reference: name@v1, or name@latest",
    URL: "an address that starts with http:// or https://",
    VARIABLE: "the name of an environment variable",
    TOOL_NAME: "a tool's name: up to 64 letters, digits, '_' and '-'",
    DATE: "a date: YYYY-MM-DD",
    AGE: "an age in hours, days or weeks: 12h, 30d, 8w",
    SIZE: "a size: 500MB, 2GB",
    MOMENT: "a moment: 2026-01-31T12:00:00Z",
    DIGEST: "a digest: sha256: and 64 hexadecimal digits",
}


def _inside_project(path: str) -> str:
    if path.startswith(("/", "~")) or "\\" in path or ":" in path or ".." in path.split("/"):
        raise ValueError(
            f"{path!r} is no path inside the project: relative to evalkit.yaml, with '/' between "
            "folders and without '..'"
        )
    return path


Name = Annotated[str, Field(pattern=_NAME, max_length=100)]
Reference = Annotated[str, Field(pattern=_REFERENCE, max_length=120)]
ProjectPath = Annotated[str, Field(min_length=1, max_length=400), AfterValidator(_inside_project)]
Money = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Part(BaseModel):
    """A mapping in evalkit.yaml. Unknown keys are refused: a typo must not switch a check off."""

    # A class is built when the first value is checked against it: most are only parts of others.
    # So a default that is a part is made with `model_construct()`, which checks nothing: 22 classes
    # would be built at every start.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, defer_build=True
    )

    def plain(
        self, *, without_none: bool = False, without_defaults: bool = False
    ) -> dict[str, Any]:
        """The part as plain JSON, by the names of its fields; without keys that are null, or that
        are at their default, in every part inside of it too.

        `model_dump(mode="json")` says the same and builds the class first, which takes longer than
        all that is done with most parts: what stands in a file is checked as a whole.
        """
        found = {}
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if without_none and value is None:
                continue
            if without_defaults and value == field.get_default():
                continue
            found[name] = _plain(value, without_none, without_defaults)
        return found


def _plain(value: Any, without_none: bool, without_defaults: bool) -> Any:
    if isinstance(value, Part):
        return value.plain(without_none=without_none, without_defaults=without_defaults)
    if isinstance(value, dict):
        return {k: _plain(v, without_none, without_defaults) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(each, without_none, without_defaults) for each in value]
    return value
