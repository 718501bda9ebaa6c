"""Secrets by their shape: token prefixes, key blocks, passwords in addresses and assignments."""

import re
from collections.abc import Iterator

from evalkit.control.redaction.finding import Finding

# A literal that has to be in the text before its pattern is tried at all, and the pattern; what is
# secret is the first group, or all of it.
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (literal, re.compile(pattern, re.DOTALL))
    for literal, pattern in (
        (
            "-----BEGIN",
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r".*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
        ),
        ("eyJ", r"(?<!\w)eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{4,}"),
        ("sk-", r"(?<![\w\-])sk-[\w\-]{16,}"),
        ("_live_", r"(?<!\w)[a-z]{2,12}_live_\w{8,}"),
        ("_test_", r"(?<!\w)[a-z]{2,12}_test_(?=\w*\d)\w{8,}"),
        ("ghp_", r"(?<!\w)ghp_\w{20,}"),
        ("gho_", r"(?<!\w)gho_\w{20,}"),
        ("ghu_", r"(?<!\w)ghu_\w{20,}"),
        ("ghs_", r"(?<!\w)ghs_\w{20,}"),
        ("ghr_", r"(?<!\w)ghr_\w{20,}"),
        ("github_pat_", r"(?<!\w)github_pat_\w{20,}"),
        ("glpat-", r"(?<!\w)glpat-[\w\-]{16,}"),
        ("AKIA", r"(?<!\w)AKIA[0-9A-Z]{16}(?!\w)"),
        ("ASIA", r"(?<!\w)ASIA[0-9A-Z]{16}(?!\w)"),
        ("xox", r"(?<!\w)xox[abeoprs]-[\w\-]{8,}"),
        ("xapp-", r"(?<!\w)xapp-[\w\-]{8,}"),
        ("AIza", r"(?<!\w)AIza[\w\-]{30,}"),
        ("ya29.", r"(?<!\w)ya29\.[\w\-]{16,}"),
        ("npm_", r"(?<!\w)npm_\w{30,}"),
        ("pypi-", r"(?<!\w)pypi-[\w\-]{32,}"),
        ("hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,}"),
        ("SG.", r"(?<!\w)SG\.[\w\-]{16,}\.[\w\-]{16,}"),
        ("whsec_", r"(?<!\w)whsec_\w{16,}"),
        ("://", r"://([^\s/:@\[\]\"]{1,100}:[^\s/@\[\]\"]{1,200})@"),
        ("earer ", r"[Bb]earer ([A-Za-z0-9._~+/\-]{16,}=*)"),
        ("asic ", r"[Bb]asic ([A-Za-z0-9+/]{16,}=*)"),
    )
)
# password: hunter2000 -- a value with letters and digits, so that "token: expired" is none.
_ASSIGNED = re.compile(
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']?((?=[^\s\"'\[\],;]{0,100}\d)(?=[^\s\"'\[\],;]{0,100}[^\W\d_])"
    r"[^\s\"'\[\],;]{8,200})"
)
_ASSIGNED_NAMES = (
    "key",
    "token",
    "secret",
    "password",
    "passwort",
    "passwd",
    "pwd",
    "passphrase",
    "kennwort",
    "contraseña",
    "senha",
    "wachtwoord",
)


def find_credentials(text: str, lowered: str) -> Iterator[Finding]:
    """Secrets in a text; `lowered` is the same text in lower case."""
    for literal, pattern in _PATTERNS:
        if literal in text:
            for match in pattern.finditer(text):
                yield _finding(match)
    for name in _ASSIGNED_NAMES:
        at = lowered.find(name)
        while at >= 0:
            at += len(name)
            if assigned := _ASSIGNED.match(text, at):
                yield _finding(assigned)
            at = lowered.find(name, at)


def _finding(match: re.Match[str]) -> Finding:
    group = 1 if match.re.groups else 0
    return Finding(match.start(group), match.end(group), "SECRET", match[group])
