"""Precision and recall of the detectors of personal data and secrets, on a corpus of ours.

    python benchmarks/detectors.py [--misses]

Reads tests/data/detectors (see detector_corpus.py). A value counts as found where findings of its
kind cover all of it; a finding that touches no value of its kind is a false one. Intervals are
Wilson's, 95 %.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.control.redaction import find_all
from evalkit.statistics.proportions import wilson

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "detectors"


@dataclass
class Measured:
    """Counts of one kind, and the texts that were wrong."""

    found: int = 0
    expected: int = 0
    right: int = 0
    reported: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)


def measure(part: str) -> dict[str, Measured]:
    """Counts by kind over one part of the corpus."""
    measured: dict[str, Measured] = defaultdict(Measured)
    for line in (CORPUS / f"{part}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line.replace("¦", ""))
        text = row["text"]
        spans = []
        for kind, value in row["expect"]:
            start = text.index(value)
            spans.append((kind, start, start + len(value)))
        findings = [each for each in find_all(text) if each.certain]
        for kind, start, end in spans:
            covered = set()
            for each in findings:
                if each.kind == kind:
                    covered.update(range(each.start, each.end))
            counts = measured[kind]
            counts.expected += 1
            if covered.issuperset(range(start, end)):
                counts.found += 1
            else:
                counts.missed.append(text)
        for each in findings:
            counts = measured[each.kind]
            counts.reported += 1
            if any(
                each.kind == kind and each.start < end and start < each.end
                for kind, start, end in spans
            ):
                counts.right += 1
            else:
                counts.false.append(f"{text[each.start : each.end]!r} in {text}")
    return dict(measured)


def share(part: int, whole: int) -> str:
    if not whole:
        return "-"
    low, high = wilson(part, whole, 0.025)
    return f"{part}/{whole} = {100 * part / whole:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--misses", action="store_true", help="print what was wrong in `tuned`")
    args = parser.parse_args()
    for part in ("tuned", "held_out"):
        print(f"\n{part}\n| kind | recall, % | precision, % |\n|---|---|---|")
        measured = measure(part)
        total = Measured()
        for kind, counts in sorted(measured.items()):
            print(
                f"| {kind} | {share(counts.found, counts.expected)} "
                f"| {share(counts.right, counts.reported)} |"
            )
            for name in ("found", "expected", "right", "reported"):
                setattr(total, name, getattr(total, name) + getattr(counts, name))
        print(
            f"| all | {share(total.found, total.expected)} | {share(total.right, total.reported)} |"
        )
        if args.misses and part == "tuned":
            for kind, counts in sorted(measured.items()):
                for text in counts.missed:
                    print(f"missed {kind}: {text}")
                for text in counts.false:
                    print(f"false {kind}: {text}")


if __name__ == "__main__":
    main()
