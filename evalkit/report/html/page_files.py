"""The page's own styles and scripts, and the policy that allows them and nothing else."""

import base64
import hashlib
from functools import cache
from importlib.resources import files

_STYLES = ("base", "blocks", "figures", "cases", "print")
_SCRIPTS = (
    "dom",
    "data",
    "words",
    "filters",
    "list",
    "detail",
    "explorer",
    "theme",
    "main",
)


@cache
def content_policy() -> str:
    """The content security policy: both scripts and the styles by their digests, no network."""
    return (
        f"default-src 'none'; script-src {_digest(early_script())} {_digest(page_script())}; "
        f"style-src {_digest(page_style())}; img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def page_style() -> str:
    """The styles."""
    return "\n".join(_resource(f"{name}.css") for name in _STYLES)


@cache
def page_script() -> str:
    """What runs when the page is whole; nothing of it is visible from outside."""
    code = "\n".join(_resource(f"{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{code}}})();\n'


@cache
def early_script() -> str:
    """What runs before anything is drawn."""
    return _resource("early.js")


def _resource(name: str) -> str:
    return files("evalkit.report.html").joinpath("page", name).read_text("utf-8")


def _digest(text: str) -> str:
    """The text as a content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
