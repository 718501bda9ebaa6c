"""The CI gate for LLM systems: results in, a verdict that holds out."""

from evalkit._version import __version__
from evalkit.errors import ConfigError, EvalkitError, Problem
from evalkit.gate.compare import compare_results

__all__ = ["ConfigError", "EvalkitError", "Problem", "__version__", "compare_results"]
