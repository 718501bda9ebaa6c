"""`format` as an assertion, on texts as evalkit stores them: redacted."""

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from jsonschema import FormatChecker

# Personal data is replaced before anything is scored; a placeholder stands for a value that had
# its format.
_PLACEHOLDERS = {
    "email": re.compile(r"\[EMAIL_[0-9]+\]"),
    "idn-email": re.compile(r"\[EMAIL_[0-9]+\]"),
    "ipv4": re.compile(r"\[IP_[0-9]+\]"),
    "ipv6": re.compile(r"\[IP_[0-9]+\]"),
}
_LONGEST_TEMPLATE = 5_000
# jsonschema is content with any "@". Quoted local parts, which may hold more, are not in use.
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@cache
def format_checker() -> "FormatChecker":
    """The checker of all formats that draft 2020-12 names."""
    from jsonschema import Draft202012Validator, FormatChecker

    checker = FormatChecker(formats=())
    checker.checkers = dict(Draft202012Validator.FORMAT_CHECKER.checkers)
    for name in ("email", "idn-email"):
        checker.checks(name)(_is_email)
    for name, base in (("iri", "uri"), ("iri-reference", "uri-reference")):
        checker.checks(name, raises=ValueError)(_by_way_of(checker.checkers[base][0]))
    checker.checks("uri-template")(_short(checker.checkers["uri-template"][0]))
    for name, placeholder in _PLACEHOLDERS.items():
        check, raises = checker.checkers[name]
        checker.checks(name, raises=raises)(_or_placeholder(check, placeholder))
    return checker


def _short(check: Any) -> Any:
    """The check takes time by the square of a text's length."""

    def accepts(instance: object) -> bool:
        if isinstance(instance, str) and len(instance) > _LONGEST_TEMPLATE:
            return False
        return bool(check(instance))

    return accepts


def _by_way_of(is_uri: Any) -> Any:
    """An IRI becomes a URI once its other characters are percent-encoded (RFC 3987, 3.1)."""

    def accepts(instance: object) -> bool:
        if not isinstance(instance, str):
            return True
        return bool(is_uri("".join(c if ord(c) < 128 else quote(c, safe="") for c in instance)))

    return accepts


def _is_email(instance: object) -> bool:
    return not isinstance(instance, str) or _EMAIL.fullmatch(instance) is not None


def _or_placeholder(check: Any, placeholder: re.Pattern[str]) -> Any:
    def accepts(instance: object) -> bool:
        if isinstance(instance, str) and placeholder.fullmatch(instance):
            return True
        return bool(check(instance))

    return accepts
