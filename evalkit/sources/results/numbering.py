"""Repeats of a case in files that do not number them."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from evalkit.sources.results.faults import Faults, shown

_SHOWN = 5


def number_repeats(names: Sequence[str], places: Sequence[str], faults: Faults) -> list[int]:
    """The trial of each result: how often its name stood before.

    Repeats are trials only where every case has as many. A name that stands twice among names that
    stand once is two tests of one name, or a retry, and nothing in the file says which: noted in
    `faults` with the `places` of its results.
    """
    found: defaultdict[str, list[int]] = defaultdict(list)
    trials = []
    for number, name in enumerate(names):
        trials.append(len(found[name]))
        found[name].append(number)
    times = Counter(len(numbers) for numbers in found.values())
    usual = max(times, key=lambda count: (times[count], -count), default=1)
    for name, numbers in found.items():
        if len(numbers) == usual:
            continue
        where = ", ".join(places[number] for number in numbers[:_SHOWN])
        faults.note(
            f"case {shown(name)} is there {_times(len(numbers))} ({where}), most others "
            f"{_times(usual)}: it is not told whether these are repeats, retries or other tests",
            suggestion="give each test a name of its own, and no retries",
        )
    return trials


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
