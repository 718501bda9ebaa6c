"""Result files of other harnesses as rows for the gate.

CSV and JSON Lines with a row a result, JUnit XML, and what promptfoo and inspect_ai write. Nothing
here guesses: what a file leaves open is asked for (`ResultChoice`), an error or a test that was not
run is a row without a result, and a file that is cut off, unfinished or contradicts itself is
refused.
"""

from evalkit.sources.results.choice import ResultChoice
from evalkit.sources.results.reading import read_results

__all__ = ["ResultChoice", "read_results"]
