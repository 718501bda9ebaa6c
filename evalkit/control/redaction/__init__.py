"""Personal data and secrets: what finds them in texts, and what replaces them there."""

from evalkit.control.redaction.priming import Priming
from evalkit.control.redaction.redactor import Redactor, StreamRedactor, redact_case
from evalkit.control.redaction.search import find_all

__all__ = ["Priming", "Redactor", "StreamRedactor", "find_all", "redact_case"]
