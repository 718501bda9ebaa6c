"""Which samples differ between two logs of inspect_ai: `python inspect_compare.py A.eval B.eval`.

It has no command for it; this is what its documentation has users write with `read_eval_log`.
"""

import sys

from inspect_ai.log import read_eval_log


def scores(path: str) -> dict[str, object]:
    """The value of `exact`, by sample."""
    samples = read_eval_log(path).samples or []
    return {str(each.id): (each.scores or {})["exact"].value for each in samples}


a, b = map(scores, sys.argv[1:])
changed = [name for name in a.keys() | b.keys() if a.get(name) != b.get(name)]
print(f"{len(changed)} of {len(a)} differ")
