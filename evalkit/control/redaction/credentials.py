"""Secrets by their shape: token prefixes, key blocks, passwords in addresses and assignments."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from evalkit.control.redaction.finding import Finding

_PEM = r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM_END = r"-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
# A literal that has to be in the text before its pattern is tried at all, and the pattern; what is
# secret is the first group, or all of it. The prefixes are those that vendors publish for scanners.
_PATTERNS = (
    ("-----BEGIN", rf"{_PEM}.*?(?:{_PEM_END}|\Z)"),
    ("eyJ", r"(?<!\w)eyJ[\w\-]{8,}\.[\w\-]{8,}\.[\w\-]{4,}"),
    ("sk-", r"(?<![\w\-])sk-(?=[\w\-]*\d)[\w\-]{16,}"),  # OpenAI, Anthropic and others
    ("_live_", r"(?<!\w)[a-z]{2,12}_live_\w{8,}"),  # Stripe
    ("_test_", r"(?<!\w)[a-z]{2,12}_test_(?=\w*\d)\w{8,}"),
    *((f"gh{kind}_", rf"(?<!\w)gh{kind}_\w{{20,}}") for kind in "pousr"),  # GitHub
    ("github_pat_", r"(?<!\w)github_pat_\w{20,}"),
    ("glpat-", r"(?<!\w)glpat-[\w\-]{16,}"),  # GitLab
    ("AKIA", r"(?<!\w)AKIA[0-9A-Z]{16}(?!\w)"),  # Amazon
    ("ASIA", r"(?<!\w)ASIA[0-9A-Z]{16}(?!\w)"),
    ("xox", r"(?<!\w)xox[abceoprs]-[\w\-]{8,}"),  # Slack
    ("xapp-", r"(?<!\w)xapp-[\w\-]{8,}"),
    ("hooks.slack.com/", r"hooks\.slack\.com/(services/T\w+/B\w+/\w{8,})"),
    ("AIza", r"(?<!\w)AIza[\w\-]{30,}"),  # Google
    ("ya29.", r"(?<!\w)ya29\.[\w\-]{16,}"),
    ("GOCSPX-", r"(?<!\w)GOCSPX-[\w\-]{20,}"),
    ("npm_", r"(?<!\w)npm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"(?<!\w)pypi-[\w\-]{32,}"),
    ("hf_", r"(?<!\w)hf_[A-Za-z0-9]{30,}"),  # Hugging Face
    ("SG.", r"(?<!\w)SG\.[\w\-]{16,}\.[\w\-]{16,}"),  # SendGrid
    ("SK", r"(?<!\w)SK[0-9a-f]{32}(?!\w)"),  # Twilio
    ("key-", r"(?<![\w\-])key-[0-9a-f]{32}(?!\w)"),  # Mailgun
    ("whsec_", r"(?<!\w)whsec_\w{16,}"),
    ("do", r"(?<!\w)do[opr]_v1_[0-9a-f]{40,}"),  # DigitalOcean
    ("shp", r"(?<!\w)shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32,}"),  # Shopify
    ("gsk_", r"(?<!\w)gsk_\w{32,}"),  # Groq
    ("xai-", r"(?<!\w)xai-\w{32,}"),
    ("pplx-", r"(?<!\w)pplx-\w{32,}"),
    ("r8_", r"(?<!\w)r8_\w{32,}"),  # Replicate
    ("dapi", r"(?<!\w)dapi[0-9a-f]{32}(?!\w)"),  # Databricks
    ("lin_api_", r"(?<!\w)lin_api_\w{32,}"),
    ("ntn_", r"(?<!\w)ntn_\w{32,}"),  # Notion
    ("PMAK-", r"(?<!\w)PMAK-[\w\-]{32,}"),  # Postman
    ("glsa_", r"(?<!\w)glsa_\w{32,}"),  # Grafana
    ("hvs.", r"(?<!\w)hvs\.[\w\-]{24,}"),  # Vault
    ("dp.", r"(?<!\w)dp\.(?:st|pt|ct)\.[\w.\-]{32,}"),  # Doppler
    ("sq0", r"(?<!\w)sq0[a-z]{3}-[\w\-]{20,}"),  # Square
    ("ATATT3", r"(?<!\w)ATATT3[\w\-=]{32,}"),  # Atlassian
    ("AGE-SECRET-KEY-", r"AGE-SECRET-KEY-1[0-9A-Z]{50,}"),
    (":AA", r"(?<!\w)\d{8,10}:AA[\w\-]{33}(?![\w\-])"),  # Telegram
    ("://", r"://([^\s/:@\[\]\"]{0,100}:[^\s/@\[\]\"]{1,200})@"),
    ("earer ", r"[Bb]earer ([A-Za-z0-9._~+/\-]{16,}=*)"),
    ("asic ", r"[Bb]asic ([A-Za-z0-9+/]{16,}=*)"),
)
# Those that have a beginning of their own; the first is a block, and "://" needs an @.
TOKEN_PATTERNS = tuple(
    pattern for literal, pattern in _PATTERNS if literal not in ("-----BEGIN", "://")
)
# password: hunter2000 -- a value with letters and digits, so that "token: expired" is none, and
# neither is one that stands for a value: ${TOKEN}, {{ token }}, <token>, ****.
_ASSIGNED = re.compile(
    r"[\"']?(?: (?:is|ist|es|est|è|é))?\s{0,3}(?:[:=]|=>)\s{0,3}[\"']?"
    r"((?=[^\s\"'\[\],;]{0,200}\d)(?=[^\s\"'\[\],;]{0,200}[^\W\d_])"
    r"(?![${<*%])[^\s\"'\[\],;]{8,200})"
)
_PASSWORD_NAMES = (
    "password",
    "passwort",
    "passwd",
    "pwd",
    "passphrase",
    "passcode",
    "kennwort",
    "contraseña",
    "senha",
    "wachtwoord",
    "mot de passe",
    "lösenord",
    "adgangskode",
    "passord",
    "salasana",
    "hasło",
    "heslo",
    "jelszó",
    "parola",
    "şifre",
    "пароль",
    "密码",
    "密碼",
    "パスワード",
    "비밀번호",
)
ASSIGNED_NAMES = ("key", "token", "secret", *_PASSWORD_NAMES)
# Of all that is called a key, these are secret; the others are so where their value looks drawn.
_SECRET_KEY = re.compile(
    r"(?:api|access|secret|private|account|auth|encryption|signing|shared|master|licen[cs]e|"
    r"service|subscription|storage|ssh|gpg|webhook)[ _\-]?key$"
)
_HASH = re.compile(
    r"(?i)(?:(?:md5|sha\d{1,3})[:\-])?(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}"
    r"|[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})"
)
_DRAWN_BITS, _DRAWN_LENGTH = 3.5, 20


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern, compiled for the first text that holds its literal."""
    return re.compile(pattern, re.DOTALL)


def find_credentials(text: str, lowered: str) -> Iterator[Finding]:
    """Secrets in a text; `lowered` is the same text in lower case."""
    for literal, pattern in _PATTERNS:
        if literal in text:
            for match in _compiled(pattern).finditer(text):
                yield _finding(match)
    for name in ASSIGNED_NAMES:
        at = lowered.find(name)
        while at >= 0:
            at += len(name)
            if (assigned := _ASSIGNED.match(text, at)) and (
                name != "key" or _is_secret_key(lowered, at, assigned[1])
            ):
                yield _finding(assigned)
            at = lowered.find(name, at)


def _is_secret_key(lowered: str, at: int, value: str) -> bool:
    """Whether the value of something that is called a key is a secret: `at` is behind its name."""
    if _SECRET_KEY.search(lowered[max(0, at - 24) : at]):
        return True
    return len(value) >= _DRAWN_LENGTH and not _HASH.fullmatch(value) and _looks_drawn(value)


def _looks_drawn(value: str) -> bool:
    """Whether a value looks drawn at random: 3.5 bits a letter, in both cases."""
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    return bits >= _DRAWN_BITS and value.lower() != value != value.upper()


def _finding(match: re.Match[str]) -> Finding:
    group = 1 if match.re.groups else 0
    return Finding(match.start(group), match.end(group), "SECRET", match[group])
