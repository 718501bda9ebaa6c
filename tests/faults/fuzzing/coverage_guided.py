"""Fuzzing guided by coverage: `make fuzz TARGET=config SECONDS=300`.

Needs atheris (`pip install atheris`, CPython 3.11 to 3.13 on Linux), which is no dependency. Each
input is either bytes as libFuzzer makes them, or steps of `mutation` on a valid input, as the first
byte says. Interesting inputs are kept in FOLDER (build/fuzz/TARGET) between runs; what breaks the
contract is written there as `crash-…`: make it small, and put it into tests/data/fuzz/corpus.

    python -m tests.faults.fuzzing.coverage_guided TARGET [SECONDS] [FOLDER]
"""

import sys
from pathlib import Path

LONGEST_S = 20  # of one input
MOST_MB = 2_000


def main(arguments: list[str]) -> None:
    """Fuzz one target until the time is over, or something is found."""
    import atheris

    with atheris.instrument_imports(include=["evalkit"]):
        from tests.faults.fuzzing.memory_tree import DATA
        from tests.faults.fuzzing.mutation import mutate, steps_in
        from tests.faults.fuzzing.target import hold
        from tests.faults.fuzzing.targets import TARGETS

    name, *more = arguments
    seconds = more[0] if more else "300"
    kept = Path(more[1] if len(more) > 1 else f"build/fuzz/{name}")
    target = TARGETS[name]
    seeds = list(target.seeds())
    kept.mkdir(parents=True, exist_ok=True)
    known = [path.read_bytes() for path in (DATA / "corpus" / name).glob("*")]
    for number, seed in enumerate([*seeds, *known]):
        (kept / f"seed-{number}").write_bytes(b"\x00" + seed)

    def one_input(data: bytes) -> None:
        if data[:1] >= b"\x80":
            data = mutate(seeds[data[0] % len(seeds)], steps_in(data[1:]))
        else:
            data = data[1:]
        hold(target, data)

    options = [f"-max_total_time={seconds}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MOST_MB}"]
    options += ["-max_len=60000", f"-artifact_prefix={kept}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(kept)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
